import { describe, expect, test } from "vitest";
import { deploymentFor } from "../../../../../core/chaincode/rollout/resolve.ts";
import type { DeployRequest } from "../../../../../core/chaincode/deployment/deploy-request.ts";
import { chooseRuntime } from "../../../../../core/chaincode/runtime/choice.ts";
import type { RuntimeOptions } from "../../../../../core/chaincode/deployment/runtime-options.ts";
import type { OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";

const { signal } = new AbortController();
/** Nobody is asked before the options have been found to go together. */
const network = { definition: networkFor({}) } as OpenNetwork;

const asked = (options: RuntimeOptions) => {
  const request = { chaincode: "asset", channel: "mychannel", label: "asset", organizations: [], chosen: true };
  return chooseRuntime(network, { ...request, prepare: () => Promise.resolve(undefined) }, options, signal);
};

describe("the runtime that is asked for", () => {
  test.each([
    [undefined, "dind"],
    ["dind", "dind"],
    ["on-demand", "on-demand"],
  ])("%s is %s", async (runtime, name) => {
    expect((await asked({ runtime })).name).toBe(name);
  });

  test("service is a service for each organization", async () => {
    expect((await asked({ runtime: "service", image: "example/asset:1" })).name).toBe("service");
  });

  test.each<[RuntimeOptions, string]>([
    [{ runtime: "knative" }, "expected --runtime dind, on-demand, service, found knative"],
    [{ start: "node", per: "peer" }, "expected --per, --start with --runtime service only, found --runtime dind"],
    [{ runtime: "on-demand", clientAuth: true }, "expected --client-auth with --runtime service only"],
    [{ runtime: "service" }, "expected --image with what the service runs, found none"],
    [{ runtime: "service", image: "example/asset:1", per: "node" }, "expected --per organization or --per peer"],
  ])("%o is refused", async (options, message) => {
    await expect(asked(options)).rejects.toMatchObject({ code: "usage", message: expect.stringContaining(message) });
  });

  test.each<[Partial<DeployRequest>, string]>([
    [{ packageId: "asset:1" }, "expected no --package-id with --runtime service"],
    [{ rollbackTo: 1, loadImage: ["a.tar"] }, "expected no --load-image, --rollback-to with --runtime service"],
    [{ language: "node" }, "expected no --language with --runtime service"],
  ])("a service takes no %o", async (options, message) => {
    const request = { name: "asset", channel: "mychannel", runtime: "service", image: "example/asset:1", ...options };
    await expect(deploymentFor(network, request, signal)).rejects.toMatchObject({ code: "usage", message });
  });
});
