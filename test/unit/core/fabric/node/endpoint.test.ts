import { expect, test } from "vitest";
import {
  createCertificateAuthority,
  issueTlsCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { grpcTarget } from "../../../../../core/fabric/node/endpoint.ts";
import { typedAs } from "../../../../typed-as.ts";

test("a key of ours that cannot be used is told, and what makes another", async () => {
  const now = new Date();
  const authority = await createCertificateAuthority({ commonName: "tlsca", organization: "o", now });
  const [one, other] = await Promise.all(
    ["one", "other"].map((commonName) => issueTlsCertificate(authority, { commonName, hosts: [commonName], now })),
  );
  const endpoint = {
    host: "127.0.0.1",
    port: 7051,
    serverName: "peer0.org1",
    tlsRootCertificates: authority.certificate,
  };
  const wrong = { certificate: one?.certificate ?? "", privateKey: other?.privateKey ?? "" };
  expect(() => grpcTarget({ ...endpoint, client: wrong })).toThrow(
    expect.objectContaining({
      code: "invalid",
      message: expect.stringMatching(
        /^expected certificates for TLS with peer0\.org1 \(at 127\.0\.0\.1:7051\), and the key of ours, got: /,
      ),
      hint: typedAs("kubectl fabric init makes anew what is not right"),
    }),
  );
  expect(grpcTarget({ ...endpoint, client: one }).address).toBe("127.0.0.1:7051");
});
