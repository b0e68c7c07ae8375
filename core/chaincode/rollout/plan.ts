import { FabricError } from "../../error.ts";
import { joined } from "../../remedy.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { Step } from "../../engine/step.ts";
import { buildAnew } from "../deployment/deploy-operation.ts";
import { type DeployRequest } from "../deployment/deploy-request.ts";
import { installations, isLate, type Deployment, type PackageToDeploy, type Target } from "../deployment/deployment.ts";
import { imageStep } from "../lifecycle/image-step.ts";
import { initStep } from "../lifecycle/init-step.ts";
import { approveStep, commitStep, installStep, runningStep, shortId } from "../lifecycle/lifecycle-steps.ts";
import { atPeer } from "../lifecycle/peer-step.ts";
import { seededInstalls } from "../seed/network-seeding.ts";

/** The steps of a deployment. Asks neither the cluster nor a node. */
export async function stepsFor(
  deployment: Deployment,
  request: Pick<DeployRequest, "loadImage" | "initArguments">,
): Promise<readonly Step[]> {
  const { network, targets, runtime } = deployment;
  const places = installations(deployment);
  const images = await Promise.all(
    places.flatMap(({ target, node }) =>
      (request.loadImage ?? []).map(async (file) => {
        return { node, step: atPeer(deployment, node, await imageStep(deployment, target, node, file)) };
      }),
    ),
  );
  const imagesOf = (host: string) => images.filter(({ node }) => hostOf(node) === host).map(({ step }) => step);
  const seeded = seededInstalls(
    network,
    targets.map(({ organization }) => organization),
    // No failure for a definition that is committed already: a peer that has just started may be building the image itself.
    deployment.isNew ? (node, pkg) => imageless(deployment, node, pkg) : undefined,
  );
  const prepared = targets.map((target) => ({ target, steps: runtime.beforehand(target.organization) }));
  const preparedFor = (target: Target) =>
    prepared.filter((each) => each.target === target).flatMap(({ steps }) => steps);
  // Any of these peers may have to give its image, or the package, to another one.
  const giving = places.flatMap(({ target, node }) => (isLate(target, node) ? [] : [node]));
  const installs = places.map(({ target, node }) => {
    const before = runtime.beforeInstall(node);
    const after = [...imagesOf(hostOf(node)), ...before, ...preparedFor(target)];
    const step = installStep(deployment, target, node, after);
    return { node, target, before, step: atPeer(deployment, node, seeded(node, target.pkg, step), giving) };
  });
  const approves = targets.map((target) => {
    const own = installs.filter((install) => install.target === target && !target.late.includes(install.node));
    return approveStep(deployment, target, [...own.map(({ step }) => step), ...preparedFor(target)]);
  });
  const commit = commitStep(deployment, approves);
  const running = installs.map(({ target, node, step }) => {
    return { target, node, step: atPeer(deployment, node, runningStep(deployment, node, [commit, step])) };
  });
  const init = deployment.definition.initRequired
    ? [initStep(deployment, request.initArguments ?? [], punctual(running))]
    : [];
  const warm = running.map(({ target, node, step }) =>
    atPeer(deployment, node, runtime.started(deployment, target, node, [step, ...init])),
  );
  const afterwards = targets.flatMap((target) => {
    const own = running.filter((each) => each.target === target);
    return runtime.afterwards(target, [commit, ...own.map(({ step }) => step)]);
  });
  return [
    ...images.map(({ step }) => step),
    ...prepared.flatMap(({ steps }) => steps),
    ...installs.flatMap(({ before, step }) => [...before, step]),
    ...approves,
    commit,
    ...running.map(({ step }) => step),
    ...init,
    ...warm,
    ...afterwards,
  ];
}

/** The failure when no daemon has the image: with the definition committed, this peer could not start the chaincode. */
function imageless({ channel, definition }: Deployment, node: FabricNode, { id }: PackageToDeploy): FabricError {
  return new FabricError(
    "not-found",
    `expected a daemon that has the image of ${shortId(id)}, which ${hostOf(node)} is to run, found none`,
    {
      hint: joined([
        buildAnew(definition.name, channel),
        "; of Node with its dependencies the base image is enough: ",
        { setting: "loadImage", to: "FILE" },
      ]),
    },
  );
}

/** The steps of all peers but the late ones, which nothing waits for. */
function punctual(
  running: readonly { readonly target: Target; readonly node: FabricNode; readonly step: Step }[],
): readonly Step[] {
  return running.filter(({ target, node }) => !isLate(target, node)).map(({ step }) => step);
}
