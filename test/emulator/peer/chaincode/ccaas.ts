import { gunzipSync } from "node:zlib";
import { milliseconds } from "../../channel/channel-config.ts";
import { regularFiles, type ChaincodePackage } from "../lifecycle/package-store.ts";
import type { ChaincodeServer, Runtime } from "./runtime.ts";

interface Connection {
  readonly address?: string;
  readonly dial_timeout?: string;
  readonly tls_required?: boolean;
  readonly client_auth_required?: boolean;
  readonly root_cert?: string;
  readonly client_key?: string;
  readonly client_cert?: string;
}

export type TemplateValues = Readonly<Record<string, string | number | boolean>>;

/** Packages of type ccaas: what Fabric's ccaas_builder makes of them. `templateValues` is CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG. */
export function newCcaasRuntime(templateValues: string): Runtime {
  const values = (templateValues === "" ? {} : JSON.parse(templateValues)) as Readonly<
    Record<string, string | number | boolean>
  >;
  return {
    build: async (chaincode) =>
      chaincode.type.toLowerCase() === "ccaas"
        ? { kind: "server", server: await serverOf(chaincode, values) }
        : undefined,
  };
}

async function serverOf(chaincode: ChaincodePackage, values: TemplateValues): Promise<ChaincodeServer> {
  const file = (await regularFiles(gunzipSync(chaincode.code))).get("connection.json");
  if (file === undefined) {
    throw new Error(
      "external builder failed: external builder 'ccaas_builder' failed: exit status 1: connection.json not found",
    );
  }
  return parseConnection(file.toString("utf8"), values);
}

/** connection.json, with its templates filled in. */
export function parseConnection(file: string, values: TemplateValues): ChaincodeServer {
  const connection = JSON.parse(file) as Connection;
  const text = (value: string | undefined): string => fill(value ?? "", values);
  const needsClient = connection.client_auth_required === true;
  return {
    address: text(connection.address),
    dialTimeoutMilliseconds: milliseconds(text(connection.dial_timeout)) || 3000,
    tls: connection.tls_required
      ? {
          rootCertificate: text(connection.root_cert),
          clientKey: needsClient ? text(connection.client_key) : undefined,
          clientCertificate: needsClient ? text(connection.client_cert) : undefined,
        }
      : undefined,
  };
}

/** Go's templates as far as connection files use them: `{{.peername}}`. */
function fill(template: string, values: TemplateValues): string {
  return template.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (_, key: string) => {
    if (values[key] === undefined) {
      throw new Error(`map has no entry for key "${key}"`);
    }
    return String(values[key]);
  });
}
