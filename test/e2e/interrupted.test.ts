import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadImage, newest } from "./fabrics.ts";
import { newTestNetwork, type TestNetwork } from "./test-network.ts";

const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");
let network: TestNetwork;

beforeAll(async () => {
  network = await newTestNetwork("interrupted", { tag: newest.tag, orderers: 3 });
});

afterAll(() => network.remove());

test(`commands on Fabric ${newest.version} that are killed half-way go on when they are typed again`, async () => {
  const { plugin, init } = network;
  const commands = [
    { command: init, killedAfter: [1, 6, 15, 25] },
    { command: ["join", "mychannel"], killedAfter: [1, 3] },
    { command: ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", ...loadImage], killedAfter: [1, 3, 5] },
  ];
  for (const { command, killedAfter } of commands) {
    for (const steps of killedAfter) expect((await plugin.killedAfter(steps, command)).signal).toBe("SIGKILL");
    await plugin.output(command);
    expect(await plugin.json(command)).toMatchObject({ changed: 0 });
  }
  await plugin.killedAt(700, ["down", "--yes"]);
  await plugin.output(["down", "--yes"]);
  expect(await plugin.json(["down", "--yes"])).toMatchObject({ changed: 0, namespaces: [] });
});
