import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { NodeManifest } from "./node-manifest.ts";
import { programsOf } from "./node-start.ts";

const withoutComments = (text: string): string =>
  text
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/([;{},\s])\/\/.*$/gm, "$1");

/** A Node program that serves (fabric-shim, lib/chaincode.js: Shim.server), and never dials a peer. */
export function isNodeServer(text: string): boolean {
  const code = withoutComments(text);
  return /["']fabric-shim["']/.test(code) && /\.\s*server\s*\(/.test(code) && !/\.\s*start\s*\(\s*[^\s)]/.test(code);
}

/** A Go program that serves (fabric-chaincode-go, shim/chaincodeserver.go), and never dials a peer. */
export function isGoServer(texts: readonly string[]): boolean {
  const code = texts.map(withoutComments).join("\n");
  // The server's own Start is one; another is the shim's or the contract API's.
  return /\bshim\.ChaincodeServer\b/.test(code) && [...code.matchAll(/\.\s*Start\s*\(/g)].length <= 1;
}

/** Whether "npm start" runs fabric-shim's command for a server, and never the one that dials a peer. */
export const startsServer = (manifest: NodeManifest): boolean =>
  !startsClient(manifest) &&
  programsOf(manifest, "start").some((program) => program.kind === "shim" && program.does === "server");

/** Whether it runs the command that dials a peer. */
export const startsClient = (manifest: NodeManifest): boolean =>
  programsOf(manifest, "start").some((program) => program.kind === "shim" && program.does === "start");

/** A peer's container has to dial the peer: a server waits in it until the peer gives up. */
export function serverRefused(what: string, client: Remedy): FabricError {
  return new FabricError("usage", `expected chaincode that dials its peer, found a server: ${what}`, {
    hint: [
      "a server runs as a service, from an image that the cluster pulls: ",
      { operation: "deploy", of: "NAME", on: "CHANNEL", with: { runtime: "service", image: "IMAGE" } },
      ...(typeof client === "string" ? ["; for a peer's own daemon: ", client] : []),
    ],
  });
}
