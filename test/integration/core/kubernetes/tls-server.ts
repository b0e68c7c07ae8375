import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { generate } from "selfsigned";
import { onTestFinished } from "vitest";

/**
 * A server with TLS on loopback, until the test has ended. Its certificate is its own authority, or `issuer`'s. `caData` is that certificate as a
 * kubeconfig has it.
 */
export async function tlsServer(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  notAfterDate = new Date("2090-01-01"),
  issuer?: { readonly cert: string; readonly key: string },
): Promise<{ readonly url: string; readonly caData: string }> {
  const certificate = await generate([{ name: "commonName", value: "api" }], {
    algorithm: "sha256",
    keyType: "ec",
    notBeforeDate: new Date("2020-01-01"),
    notAfterDate,
    ...(issuer && { ca: issuer }),
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
    ],
  });
  const server = createServer({ key: certificate.private, cert: certificate.cert }, onRequest);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const caData = Buffer.from(certificate.cert).toString("base64");
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, caData };
}
