import type { ChaincodePackage } from "../../fabric/chaincode-package.ts";
import type { OpenNetwork } from "../../network/open-network.ts";
import type { FabricNode } from "../../network/spec.ts";
import type { Step } from "../../steps/step.ts";
import type { Runtime, RuntimeRequest } from "./runtime.ts";
import { leftoversStep } from "./service-leftovers.ts";

/** Chaincode in each peer's own Docker daemon: the peer builds it, or finds it built, and starts it. `images` are what a daemon has to have before. */
export function newDindRuntime(
  network: OpenNetwork,
  request: RuntimeRequest,
  pkg: ChaincodePackage,
  images: (node: FabricNode) => readonly Step[],
): Runtime {
  return {
    name: "dind",
    packageFor: () => pkg,
    beforeInstall: images,
    beforeApprove: () => [],
    afterwards: (organization, after) => [leftoversStep(network, request, organization, undefined, after)],
  };
}
