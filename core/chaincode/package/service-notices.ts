import { join } from "node:path";
import type { Remedy } from "../../remedy.ts";
import { readFileIfAny } from "../../fabric/package/chaincode-folder.ts";
import { readNodeManifest } from "../../fabric/package/node-manifest.ts";
import { startsClient, startsServer } from "../../fabric/package/server-program.ts";
import type { DeployRequest } from "../deployment/deploy-request.ts";

/** What a folder tells of a service: one that dials its peer answers nobody. What runs is in the image, so nothing is refused. */
export async function serviceNotices({
  runtime,
  path,
  start,
}: Pick<DeployRequest, "runtime" | "path" | "start">): Promise<readonly Remedy[]> {
  if (runtime !== "service" || path === undefined || start !== undefined) return [];
  if ((await readFileIfAny(join(path, "package.json"))) === undefined) return [];
  const manifest = await readNodeManifest(path);
  if (startsServer(manifest) || !startsClient(manifest)) return [];
  return [
    [
      `npm start in ${path} dials a peer, and a service is dialled: where that is what the image runs, `,
      { setting: "start", to: "node" },
      " runs a server of the same chaincode",
    ],
  ];
}
