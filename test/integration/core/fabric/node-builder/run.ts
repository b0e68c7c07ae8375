// Runs Node chaincode as a plain process: what a peer's container would do, with the files and variables it would set
// (core/container/dockercontroller/dockercontroller.go, getEnv and addFiles).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , code = "", metadata = ""] = process.argv;

interface RunMetadata {
  readonly chaincode_id: string;
  readonly peer_address: string;
  readonly client_cert: string;
  readonly client_key: string;
  readonly root_cert: string;
  readonly mspid: string;
}

const run = JSON.parse(readFileSync(join(metadata, "chaincode.json"), "utf8")) as RunMetadata;
const file = (name: string, content: string) => {
  const path = join(metadata, name);
  writeFileSync(path, content);
  return path;
};
const base64 = (text: string) => Buffer.from(text).toString("base64");

Object.assign(process.env, {
  CORE_CHAINCODE_ID_NAME: run.chaincode_id,
  CORE_PEER_LOCALMSPID: run.mspid,
  CORE_PEER_TLS_ENABLED: String(run.client_cert !== ""),
  CORE_PEER_TLS_ROOTCERT_FILE: file("root.crt", run.root_cert),
  CORE_TLS_CLIENT_KEY_PATH: file("client.key", base64(run.client_key)),
  CORE_TLS_CLIENT_CERT_PATH: file("client.crt", base64(run.client_cert)),
});
process.chdir(code);
const cli = join(process.cwd(), "node_modules/fabric-shim/cli.js");
process.argv = [process.execPath, cli, "start", "--peer.address", run.peer_address];
await import(pathToFileURL(cli).href);
