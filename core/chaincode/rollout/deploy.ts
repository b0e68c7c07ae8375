import { checkChannelName } from "../../fabric/channel/channel-name.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { Step } from "../../engine/step.ts";
import { checkRequest, type DeployRequest } from "../deployment/deploy-request.ts";
import { archivedImages } from "../image/image-archive.ts";
import { checkSource } from "../package/package-source.ts";
import { stepsFor } from "./plan.ts";
import { deploymentFor } from "./resolve.ts";

/** Throws `usage` when a request or its files are wrong on any network. Asks neither the cluster nor a node. */
export async function checkBeforehand(request: DeployRequest): Promise<void> {
  checkRequest(request);
  checkChannelName(request.channel);
  if (request.path !== undefined) await checkSource(request.path, request.label ?? request.name, request);
  await Promise.all((request.loadImage ?? []).map(archivedImages));
}

/** The channel runs this chaincode: installed everywhere, approved by each organization, committed, started. */
export async function deploySteps(
  network: OpenNetwork,
  request: DeployRequest,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const deployment = await deploymentFor(network, request, signal);
  return stepsFor(deployment, request);
}
