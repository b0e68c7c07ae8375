import { FabricError } from "../../error.ts";
import { get } from "../../kubernetes/objects.ts";
import { annotationKeys } from "../../injection/annotations.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { Step } from "../../engine/step.ts";
import type { PackageToDeploy, Runtime } from "../deployment/deployment.ts";
import { warmStep } from "./warm-step.ts";
import type { RuntimeRequest } from "./runtime-request.ts";
import { leftoversStep } from "./service-leftovers.ts";

/** Chaincode in each peer's own Docker daemon: the peer builds it, or finds it built, and starts it. */
export function newDindRuntime(
  network: OpenNetwork,
  request: RuntimeRequest,
  name: "dind" | "on-demand",
  pkg: PackageToDeploy | undefined,
): Runtime {
  return {
    name,
    packageFor: pkg && (() => pkg),
    beforeInstall: (node) => (name === "on-demand" ? [idleStep(network, node)] : []),
    beforehand: () => [],
    started: warmStep,
    // An organization that keeps its package may still need its service.
    afterwards: (target, after) =>
      request.chosen && target.pkg.type !== "ccaas"
        ? [unlessService(target.pkg, leftoversStep(network, request, target.organization, undefined, after))]
        : [],
  };
}

/**
 * Leaves the services alone when the package itself is called as a service. When only its ID is known, it is loaded from a peer, but only
 * if there is something to remove.
 */
function unlessService(pkg: PackageToDeploy, leftovers: Step): Step {
  return {
    ...leftovers,
    async observe(context) {
      const observation = await leftovers.observe(context);
      if (observation.is === "so") return observation;
      const type = pkg.type ?? (await pkg.load(context.signal)).metadata.type;
      return type === "ccaas" ? { is: "so", detail: "left alone: the package is called as a service" } : observation;
    },
  };
}

/** A peer's daemon stops chaincode that nobody calls. The annotation for this is the Pod's, and holds for all chaincode of the peer. */
function idleStep(network: OpenNetwork, node: FabricNode): Step {
  const { namespace } = node.organization;
  return {
    id: `on-demand/${hostOf(node)}`,
    title: `${hostOf(node)} stops idle chaincode`,
    after: [],
    async observe({ signal }) {
      const set = await get(network.cluster, { kind: "StatefulSet", namespace, name: node.name }, signal);
      const idle = set?.spec?.template.metadata?.annotations?.[annotationKeys.chaincodeIdle];
      if (idle !== undefined) return { is: "so", detail: `after ${idle}` };
      throw new FabricError(
        "not-ready",
        `expected ${annotationKeys.chaincodeIdle} on the Pod of ${hostOf(node)}, found none`,
        {
          hint: [{ operation: "init", with: { chaincodeIdle: "10m" } }, " sets it, and restarts the peers once"],
        },
      );
    },
  };
}
