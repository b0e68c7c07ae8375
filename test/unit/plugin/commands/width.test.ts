// Results for people are as wide as the terminal; in a pipe they are as wide as they come, unless COLUMNS asks for less.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { doctorText } from "../../../../plugin/commands/doctor-text.ts";
import { statusTable } from "../../../../plugin/commands/status-table.ts";
import type { Finding } from "../../../../core/doctor/finding.ts";
import { init, small } from "../../core/network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

const widest = (text: string): number => Math.max(...text.split("\n").map(({ length }) => length));

describe("tables of commands", () => {
  let cluster: ScriptedCluster;
  let session: CommandSession;
  beforeEach(async () => {
    cluster = await scriptedCluster();
    session = await commandSession(cluster);
    await session.run("webhook", "install");
    await init(cluster, small, { now: new Date() });
  });
  afterEach(async () => {
    process.exitCode = undefined;
    await session.close();
    await cluster.close();
  });

  test("have the width that COLUMNS says, and the same content", async () => {
    const words = ["webhook", "status"];
    const wide = (await session.run(...words)).stdout;
    expect(widest(wide)).toBeGreaterThan(60);
    const narrow = (await session.runWith({ COLUMNS: "60" }, ...words)).stdout;
    expect(widest(narrow)).toBeLessThanOrEqual(60);
    const letters = (text: string) => text.replaceAll(/\s/g, "").split("").toSorted().join("");
    expect(letters(narrow)).toBe(letters(wide));
  });
});

test("status tells a reason once, with the nodes that it is about", () => {
  const problem = "container peer has no image docker.io/hyperledger/fabric-peer:9.9 (ImagePullBackOff)";
  const node = (name: string, namespace: string, because?: string) => ({
    organization: namespace,
    namespace,
    name,
    component: "peer" as const,
    ready: because === undefined,
    channels: [],
    ...(because === undefined ? {} : { problem: because }),
  });
  const nodes = [
    node("peer0", "org1", problem),
    node("peer1", "org1"),
    node("peer0", "org2", problem),
    node("peer1", "org2", "no Pod yet"),
  ];
  const text = statusTable({ network: "fabric", fabricVersion: "3.1", upToDate: true, ready: false, nodes });
  expect(text.split("\n").slice(6)).toEqual([`peer0.org1, peer0.org2: ${problem}`, "peer1.org2: no Pod yet", ""]);
});

test("status says of each node that runs another image than wanted which, and nothing of those that run it", () => {
  const node = (name: string, wantedImage?: string) => ({
    ...({ organization: "org1", namespace: "org1", name, component: "peer", ready: true, channels: [] } as const),
    image: wantedImage === undefined ? "local/node:1" : "fabric-peer:3.1",
    ...(wantedImage === undefined ? {} : { wantedImage }),
  });
  const nodes = [node("peer0"), node("peer1", "local/node:1"), node("peer2", "local/node:1")];
  const text = statusTable({ network: "fabric", fabricVersion: "3.1", upToDate: false, ready: true, nodes });
  const lines = text.split("\n");
  expect(lines[0]).toBe("network fabric, Fabric 3.1; not every node runs what is wanted");
  expect(lines.slice(5)).toEqual(["peer1.org1, peer2.org1: expected to run local/node:1, found fabric-peer:3.1", ""]);
});

test("status of a node that one may not look at says that it is not known", async () => {
  const cluster = await scriptedCluster();
  const session = await commandSession(cluster);
  try {
    await session.run("webhook", "install");
    await init(cluster, small, { now: new Date() });
    cluster.interfere(({ namespace, kind }) => (namespace === "orderer" && kind === "Pod" ? "forbidden" : undefined));
    const { stdout, error } = await session.run("status");
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/^orderer +orderer0 +\? +- /m);
    expect(stdout).toMatch(/^org1 +peer0 +no +3\.1 /m);
    expect(stdout).toMatch(/^orderer0\.orderer: you may not look: /m);
  } finally {
    process.exitCode = undefined;
    await session.close();
    await cluster.close();
  }
});

test("status says of which channel a chaincode is, where a node has several", () => {
  const channel = (name: string, ...chaincodes: string[]) => ({ name, height: 9, chaincodes });
  const node = (name: string, ...channels: ReturnType<typeof channel>[]) => {
    return { organization: "org1", namespace: "org1", name, component: "peer" as const, ready: true, channels };
  };
  const one = channel("mychannel", "asset 18 (sequence 18)");
  const nodes = [node("peer0", one, channel("second", "asset 7 (sequence 4)", "b 1 (sequence 1)")), node("peer1", one)];
  const text = statusTable({ network: "fabric", fabricVersion: "3.1", upToDate: true, ready: true, nodes });
  expect(text).toContain("mychannel: asset 18 (sequence 18), second: asset 7 (sequence 4), second: b 1 (sequence 1)");
  expect(text).toMatch(/peer1 .*mychannel:9 +asset 18 \(sequence 18\) /);
});

describe("findings of doctor", () => {
  const findings: readonly Finding[] = [
    { level: "ok", about: "nodes", text: "one node that can run all of it" },
    { level: "problem", about: "webhook", text: "it is not installed", hint: "kubectl fabric webhook install" },
  ];
  const report = { healthy: false, context: "kind", findings, namespaces: [] };
  const shown = (width?: number) => doctorText(report, (_, text) => text, width).split("\n");

  test("are one line each where there is room", () => {
    expect(shown()).toEqual([
      "ok       nodes    one node that can run all of it",
      "problem  webhook  it is not installed",
      "                  hint: kubectl fabric webhook install",
      "",
      "context kind: 1 ok, 0 warning, 1 problem, 0 unknown",
      "",
    ]);
  });

  test("go on below themselves where there is none; what is to be typed stays in one line", () => {
    expect(shown(40)).toEqual([
      "ok       nodes    one node that can run",
      "                  all of it",
      "problem  webhook  it is not installed",
      "                  hint: kubectl fabric webhook install",
      "",
      "context kind: 1 ok, 0 warning, 1 problem, 0 unknown",
      "",
    ]);
  });
});
