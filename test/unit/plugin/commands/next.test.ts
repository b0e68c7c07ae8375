// "next:" names what is to be done next, or is not there.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { afterInit, joinsLeft } from "../../../../plugin/commands/next-command.ts";
import { FabricError } from "../../../../core/error.ts";
import type { Heights } from "../../../../core/network/session/heights.ts";
import { openNetwork } from "../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { hostOf, type FabricNode } from "../../../../core/network/resources/nodes.ts";
import { init, small } from "../../core/network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";
import { typedAs } from "../../../typed-as.ts";
import { typed } from "../../../../plugin/terminal/remedy.ts";

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

  test("it is on the same cluster", async () => {
    const told = ["--context", "c", "--network", "trade"];
    expect(await closing("init", "--orderers", "1", "--peer-orgs", "org1", ...told)).toContain(
      "next: kubectl fabric --context c --network trade join mychannel\n",
    );
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

describe("after init with more nodes", () => {
  const network = networkFor({ peers: 2, orderers: 2 });
  const one = new Map([["trade", 7]]);
  const none = new Map<string, number>();
  const hosts = ["orderer0.orderer", "orderer1.orderer", "peer0.org1", "peer1.org1", "peer0.org2", "peer1.org2"];
  const all = new Map<string, Heights>(hosts.map((host) => [host, one]));
  const joins = (heights: ReadonlyMap<string, Heights | undefined>) =>
    joinsLeft(network, heights).map((operation) => typed(operation));

  test("comes the channel that others of their organization have joined", () => {
    expect(joins(all)).toEqual([]);
    expect(joins(new Map([...all, ["peer1.org2", none]]))).toEqual(["kubectl fabric join trade"]);
    expect(joins(new Map([...all, ["orderer1.orderer", none]]))).toEqual(["kubectl fabric join trade"]);
  });

  test("come all of them, and only for the organizations that are members", () => {
    const two = new Map([...one, ["art", 3]]);
    const heights = new Map([...all, ["peer0.org1", two], ["peer1.org1", none]]);
    expect(joins(heights)).toEqual(["kubectl fabric join art --orgs org1", "kubectl fabric join trade"]);
  });

  test("comes nothing for an organization that is in no channel, nor for a node that does not answer", () => {
    expect(joins(new Map([...all, ["peer0.org2", none], ["peer1.org2", none]]))).toEqual([]);
    expect(joins(new Map([...all, ["peer1.org2", undefined]]))).toEqual([]);
  });

  test("the nodes are asked only where there is a channel, and those that do not answer are passed over", async () => {
    const { signal } = new AbortController();
    const asked: string[] = [];
    const opened = openNetwork(cluster.connect(), small);
    const heightsOf = (_: unknown, node: FabricNode) => {
      asked.push(hostOf(node));
      return Promise.reject(new FabricError("not-ready", "no answer"));
    };
    expect(await afterInit(opened, signal, heightsOf)).toEqual(typedAs("kubectl fabric join mychannel"));
    expect(asked).toEqual([]);
    await session.run("webhook", "install");
    await init(cluster, small, { now: new Date() });
    await session.run("join", "trade");
    expect(await afterInit(opened, signal, heightsOf)).toBeUndefined();
    expect(asked).toEqual(["orderer0.orderer", "peer0.org1"]);
    await opened.close();
  });
});

describe("after webhook install", () => {
  test("comes a network, as long as there is none", async () => {
    expect(await closing("webhook", "install")).toContain("next: kubectl fabric init\n");
    await init(cluster, small, { now: new Date() });
    expect(await closing("webhook", "install")).toBe("nothing to do: all is as wanted\n");
  });
});

describe("webhook status", () => {
  afterEach(() => void (process.exitCode = undefined));

  test("names the webhook's installation where there is none, and shows no empty table", async () => {
    expect(await closing("webhook", "status")).toMatch(
      /^READY .*\nno .*\n\nthe webhook is not installed\nnext: kubectl fabric webhook install\n$/,
    );
    await session.run("webhook", "install");
    expect(await closing("webhook", "status")).toMatch(/\n\nCERTIFICATE .*HELD BY/);
  });
});

describe("down", () => {
  test("says that there is no network", async () => {
    expect(await closing("down", "--yes")).toBe("nothing to do: there is no network\n");
    expect(await closing("down", "--yes", "--network", "trade")).toBe("nothing to do: there is no network trade\n");
  });
});
