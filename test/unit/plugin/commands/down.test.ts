import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clusterWithWebhook, init, linesOf, small } from "../../core/network/network-cluster.ts";
import type { ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

let cluster: ScriptedCluster;
let session: CommandSession;
let count: number;
beforeEach(async () => {
  cluster = await clusterWithWebhook();
  session = await commandSession(cluster);
  await init(cluster, small);
  count = cluster.writes.length;
});
afterEach(async () => {
  await session.close();
  await cluster.close();
});

describe("down", () => {
  test("where nobody can be asked it deletes nothing without --yes", async () => {
    const { error } = await session.run("down");
    expect(error).toMatchObject({
      code: "usage",
      message:
        "expected a confirmation: This deletes network fabric with its ledgers and keys: namespaces orderer, org1.",
      hint: "add --yes to go on without being asked",
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("a dry run needs no answer", async () => {
    const { error, stdout } = await session.run("down", "--dry-run");
    expect(error).toBeUndefined();
    expect(stdout).toBe("dry run: 2 steps to do; nothing was changed\n");
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("names in JSON what it deleted, and the second time nothing", async () => {
    const first = await session.run("down", "--yes", "-o", "json");
    expect(JSON.parse(first.stdout)).toMatchObject({ network: "fabric", namespaces: ["orderer", "org1"], changed: 2 });
    expect(
      linesOf(cluster, count)
        .filter((line) => line.startsWith("delete Namespace"))
        .toSorted(),
    ).toEqual(["delete Namespace orderer", "delete Namespace org1"]);
    const writes = cluster.writes.length;
    const again = await session.run("down", "--yes", "-o", "json");
    expect(JSON.parse(again.stdout)).toMatchObject({ namespaces: [], changed: 0 });
    expect(cluster.writes.length).toBe(writes);
  });

  test("-o name is one namespace a line", async () => {
    const { stdout } = await session.run("down", "--yes", "-o", "name");
    expect(stdout).toBe("orderer\norg1\n");
  });
});
