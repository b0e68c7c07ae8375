import { FabricError } from "../../error.ts";
import { readIndexes } from "../../fabric/package/source-files.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { newDindRuntime } from "./dind.ts";
import type { Runtime } from "../deployment/deployment.ts";
import { runtimeNames, type RuntimeName, type RuntimeOptions } from "../deployment/runtime-options.ts";
import type { RuntimeRequest } from "./runtime-request.ts";
import { newServiceRuntime } from "./service.ts";

/** Options that only a service has. */
const serviceOptions = { per: "--per", clientAuth: "--client-auth", start: "--start" } as const;

/** The runtime that a user asks for. Throws `usage` for options that do not go together. */
export async function chooseRuntime(
  network: OpenNetwork,
  request: RuntimeRequest,
  options: RuntimeOptions,
  signal: AbortSignal,
): Promise<Runtime> {
  const name = runtimeName(options.runtime ?? "dind");
  if (name !== "service") {
    rejectServiceOptions(name, options);
    return newDindRuntime(network, request, name, await request.prepare());
  }
  const { image, path, start } = options;
  if (image === undefined) {
    throw new FabricError("usage", "expected --image with what the service runs, found none", {
      hint: "build the chaincode into an image that the cluster can pull, with a server as its command (docs/runtimes.md)",
    });
  }
  const per = perOf(options.per ?? "organization");
  const metadata = path === undefined ? [] : await readIndexes(path);
  const service = { image, per, clientAuth: options.clientAuth ?? false, start, metadata };
  return newServiceRuntime(network, request, service, signal);
}

function runtimeName(text: string): RuntimeName {
  const found = runtimeNames.find((name) => name === text);
  if (found) return found;
  throw new FabricError("usage", `expected --runtime ${runtimeNames.join(", ")}, found ${text}`);
}

function perOf(text: string): "organization" | "peer" {
  if (text === "organization" || text === "peer") return text;
  throw new FabricError("usage", `expected --per organization or --per peer, found ${text}`);
}

function rejectServiceOptions(name: RuntimeName, options: RuntimeOptions): void {
  const keys = Object.keys(serviceOptions) as (keyof typeof serviceOptions)[];
  const given = keys.filter((key) => options[key] !== undefined).map((key) => serviceOptions[key]);
  if (given.length === 0) return;
  throw new FabricError("usage", `expected ${given.join(", ")} with --runtime service only, found --runtime ${name}`);
}
