import { Metadata, status as code, type StatusObject } from "@grpc/grpc-js";
import { gateway, google } from "@hyperledger/fabric-protos";
import anyPb from "google-protobuf/google/protobuf/any_pb.js";

/** What one peer or orderer answered, for the client to show. */
export interface ErrorDetail {
  readonly address: string;
  readonly mspId: string;
  readonly message: string;
}

/** An error with the details that Fabric's gateway attaches (internal/pkg/gateway/apiutils.go newRpcError). */
export class RpcError extends Error {
  readonly code: code;
  readonly details: readonly ErrorDetail[];

  constructor(status: code, message: string, details: readonly ErrorDetail[] = []) {
    super(message);
    this.code = status;
    this.details = details;
  }

  /** As gRPC sends it. */
  toStatus(): StatusObject {
    const metadata = new Metadata();
    if (this.details.length > 0) {
      const rich = new google.rpc.Status();
      rich.setCode(this.code);
      rich.setMessage(this.message);
      rich.setDetailsList(this.details.map(anyOf));
      metadata.set("grpc-status-details-bin", Buffer.from(rich.serializeBinary()));
    }
    return { code: this.code, details: this.message, metadata };
  }
}

function anyOf({ address, mspId, message }: ErrorDetail): InstanceType<typeof anyPb.Any> {
  const detail = new gateway.ErrorDetail();
  detail.setAddress(address);
  detail.setMspId(mspId);
  detail.setMessage(message);
  const any = new anyPb.Any();
  any.pack(detail.serializeBinary(), "gateway.ErrorDetail");
  return any;
}

export { code };
