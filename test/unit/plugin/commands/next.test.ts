// "next:" names what is to be done next, or is not there.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { init, small } from "../network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

let cluster: ScriptedCluster;
let session: CommandSession;
beforeEach(async () => {
  cluster = await scriptedCluster();
  session = await commandSession(cluster);
});
afterEach(async () => {
  await session.close();
  await cluster.close();
});

const closing = async (...argv: readonly string[]) => (await session.run(...argv)).stdout;

describe("after init", () => {
  beforeEach(() => session.run("webhook", "install"));

  test("comes a channel, as long as there is none", async () => {
    const next = "next: kubectl fabric join mychannel\n";
    expect(await closing("init", "--orderers", "1", "--peer-orgs", "org1")).toMatch(
      new RegExp(`^done: \\d+ steps\n${next}$`),
    );
    expect(await closing("init")).toBe(`nothing to do: all is as wanted\n${next}`);
  });

  test("comes nothing once there is a channel", async () => {
    await init(cluster, small, { now: new Date() });
    // The genesis block is made; there are no nodes to join it.
    await session.run("join", "trade");
    expect(await closing("init")).toBe("nothing to do: all is as wanted\n");
  });

  test("comes nothing where one may not look for channels", async () => {
    await init(cluster, small, { now: new Date() });
    cluster.interfere(({ kind, namespace, verb }) =>
      kind === "ConfigMap" && namespace === "orderer" && verb === "list" ? "forbidden" : undefined,
    );
    expect(await closing("init")).toBe("nothing to do: all is as wanted\n");
  });
});

describe("after webhook install", () => {
  test("comes a network, as long as there is none", async () => {
    expect(await closing("webhook", "install")).toContain("next: kubectl fabric init\n");
    await init(cluster, small, { now: new Date() });
    expect(await closing("webhook", "install")).toBe("nothing to do: all is as wanted\n");
  });
});

describe("down", () => {
  test("says that there is no network", async () => {
    expect(await closing("down", "--yes")).toBe("nothing to do: there is no network\n");
    expect(await closing("down", "--yes", "--network", "trade")).toBe("nothing to do: there is no network trade\n");
  });
});
