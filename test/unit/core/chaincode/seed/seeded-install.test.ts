import { describe, expect, test } from "vitest";
import { packageAtHand, type PackageToDeploy } from "../../../../../core/chaincode/deployment/deployment.ts";
import { seededInstall } from "../../../../../core/chaincode/seed/seeded-install.ts";
import type { SeedPeer } from "../../../../../core/chaincode/image/seed-peer.ts";
import type { Provision, Seeding } from "../../../../../core/chaincode/seed/seeding.ts";
import { FabricError } from "../../../../../core/error.ts";
import { packChaincode } from "../../../../../core/fabric/package/chaincode-package.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import type { ActingStep } from "../../../../../core/engine/step.ts";

const { signal } = new AbortController();
const peer = { host: "peer0.org1" } as SeedPeer;

/** As it is of what stays or comes back: only its ID is known until somebody asks for it. */
async function byItsId(type: string): Promise<PackageToDeploy> {
  return { ...packageAtHand(await packChaincode({ path: "", type, label: "asset" }, [])), type: undefined };
}

interface Situation {
  readonly pkg: PackageToDeploy;
  /** What the daemon says of the image; missing unless told. */
  readonly image?: boolean | FabricError;
  readonly how?: Provision;
  readonly whenLeft?: () => FabricError;
}

/** An installation on a peer that has the package. */
function installed({
  pkg,
  image = false,
  how = { how: "copied", from: "peer0.org2", bytes: 2e6 },
  whenLeft,
}: Situation) {
  const log: string[] = [];
  const install: ActingStep = {
    id: "install",
    title: "install",
    after: [],
    observe: async () => ({ is: "so" }),
    act: async () => void log.push("install"),
  };
  const seeding: Seeding = {
    has: async () => {
      if (typeof image !== "boolean") throw image;
      return image;
    },
    provide: async (_peer, _context, build) => {
      log.push(build ? "provide, or build" : "provide");
      return how;
    },
    close: async () => {},
  };
  return { log, step: seededInstall({ install, pkg, peer, seeding, whenLeft }) };
}

describe("a package that is installed, of which only the ID is known", () => {
  test("gets its image, and the peer is told again in case its own build had failed", async () => {
    const { step, log } = installed({ pkg: await byItsId("node") });
    const { outcomes } = await runToEnd([step], { signal });
    expect(outcomes.get("install")).toMatchObject({
      result: "changed",
      detail: "image from peer0.org2, 2.0 MB sent",
    });
    expect(log).toEqual(["provide", "install"]);
  });

  test.each<[string, () => Promise<Situation>]>([
    ["its image is there", async () => ({ pkg: await byItsId("node"), image: true })],
    ["an external builder runs it", async () => ({ pkg: await byItsId("ccaas") })],
    [
      "there is no daemon to look into",
      async () => ({ pkg: await byItsId("node"), image: new FabricError("not-found", "no daemon") }),
    ],
  ])("is left as it is where %s", async (_, situation) => {
    const { step, log } = installed(await situation());
    expect((await runToEnd([step], { signal })).outcomes.get("install")).toMatchObject({ result: "unchanged" });
    expect(log).toEqual([]);
  });

  test("is refused where nobody has its image and the channel does not run it yet", async () => {
    const refusal = new FabricError("not-found", "expected an image, found none");
    const situation: Situation = { pkg: await byItsId("golang"), how: { how: "left" } };
    const { step } = installed({ ...situation, whenLeft: () => refusal });
    await expect(runToEnd([step], { signal })).rejects.toBe(refusal);
    const running = installed(situation);
    const { outcomes } = await runToEnd([running.step], { signal });
    expect(outcomes.get("install")).toMatchObject({ detail: "no daemon has its image: the next call builds it" });
    expect(running.log).toEqual(["provide"]);
  });
});
