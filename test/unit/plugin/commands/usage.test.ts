// What a user typed, or gave in a file, and what is wrong about it: that is wrong usage, exit code 2, whoever finds out, and says what
// was expected. A script tells it by the code alone from what went wrong without its doing (1).
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cronSchedule } from "../../../../plugin/commands/arguments.ts";
import { exitCodeOf } from "../../../../plugin/terminal/failure.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { clusterWithWebhook, init, linesOf } from "../../core/network/network-cluster.ts";
import type { ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

let cluster: ScriptedCluster;
let session: CommandSession;
let folder: string;
let count: number;
beforeAll(async () => {
  cluster = await clusterWithWebhook();
  await init(cluster, networkFor({ orderers: 1, peerOrganizations: ["org1", "org2"], peers: 2 }));
  count = cluster.writes.length;
  session = await commandSession(cluster);
  folder = await mkdtemp(join(tmpdir(), "usage-"));
  await writeFile(join(folder, "text.yaml"), "a: [b\n");
  await writeFile(join(folder, "other.yaml"), "a: b\n");
  await writeFile(join(folder, "text.tar.gz"), "no archive");
  const defined = await session.run("init", "--dry-run", "-o", "yaml");
  await writeFile(join(folder, "network.yaml"), defined.stdout);
  await writeFile(join(folder, "empty.json"), "{");
  await writeFile(join(folder, "service.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n");
});
afterAll(async () => {
  await session.close();
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a command line ends with: FOLDER stands for the one with the files. */
async function run(line: string) {
  const words = line.split(" ").map((word) => (word === "''" ? "" : word.replace("FOLDER", folder)));
  const { error, stderr } = await session.run(...words);
  return { code: error === undefined ? 0 : exitCodeOf(error), text: `${stderr}${String(error)}` };
}

test.each(['query asset -C mychannel --args {"Args":["f",""]}', "query asset f '' -C mychannel"])(
  "an argument of a chaincode may be empty: %s",
  async (line) => {
    expect((await run(line)).text).not.toContain("expected a value of");
  },
);

describe("wrong usage ends with 2", () => {
  test.each([
    // What the command line alone shows.
    ["innit", /unknown command/],
    ["init --peers many", /whole number from 1 to 99\./],
    ["init --peers 1000000", /whole number from 1 to 99\./],
    ["init --peer-orgs Org_1", /name: expected a DNS label/],
    ["init --fabric-version a/b", /fabricVersion: expected an image tag/],
    ["init --profile restricted --chaincode-idle 10m", /chaincodeIdle needs Docker/],
    ["status -o xml", /Allowed choices/],
    ["init -f FOLDER/network.yaml --peers 3", /'-f, --file <file>' cannot be used with option '--peers <count>'/],
    ["init -f FOLDER/network.yaml --storage-class a", /cannot be used with option '--storage-class <name>'/],
    ["init -f FOLDER/network.yaml --no-chaincode-idle", /cannot be used with option '--no-chaincode-idle'/],
    ["init -f FOLDER/network.yaml --network trade", /expected the network trade in .*network\.yaml, found fabric/],
    // A variable of the shell that is not set.
    ["init -f ''", /expected a value of -f, --file <file>, found ""/],
    ["init --peer-orgs ''", /names separated by commas/],
    ["deploy-cc asset --path '' -C mychannel", /expected a value of --path <dir>, found ""/],
    ["deploy-cc asset --path . -C mychannel --load-image ''", /expected a value of --load-image <file>, found ""/],
    ["deploy-cc '' --path . -C mychannel", /expected a value of <name>, found ""/],
    ["chaincode seed ''", /expected a value of \[name\], found ""/],
    ["status --network ''", /expected a value of --network <name>, found ""/],
    ["status --kubeconfig ''", /expected a value of --kubeconfig <file>, found ""/],
    ["webhook install --image ''", /expected a value of --image <image>, found ""/],
    ["cleanup schedule --image ''", /expected a value of --image <image>, found ""/],
    ["eject ''", /expected deployment\/NAME/],
    ["join My_Channel", /expected a channel name of lower case letters, digits, "\." and "-", found "My_Channel"/],
    [`join ${"a".repeat(250)}`, /expected a channel name of at most 249 characters, found 250/],
    ["deploy-cc asset --path . -C c --label ü", /expected a label of letters, digits and "_\.\+-", found "ü"/],
    [
      `deploy-cc asset --path . -C c --label ${"a".repeat(184)}`,
      /expected a label of at most 183 characters, found 184/,
    ],
    ["cleanup schedule --cron foo", /Expected a schedule of five fields/],
    ["query asset -C mychannel", /expected a function/],
    ["query asset Read -C mychannel --args []", /found both/],
    ["query asset -C mychannel --args []", /expected a function/],
    ["invoke asset -C mychannel --args []", /expected a function/],
    ["deploy-cc asset --package-id foo -C mychannel", /expected a package ID, as asset:0a1b2c…, found foo/],
    ["deploy-cc asset --path . --package-id a:b -C mychannel", /found several/],
    ["deploy-cc asset --path . --init --no-init -C mychannel", /expected --init or --no-init, found both/],
    ["deploy-cc asset --build -C mychannel", /expected --build together with --path/],
    ["init --no-chaincode-idle --chaincode-idle 5m", /expected --chaincode-idle or --no-chaincode-idle, found both/],
    ["init -f FOLDER/other.yaml --peers 3", /-f, --file <file>' cannot be used with option '--peers <count>'/],
    ["deploy-cc asset --include .npmrc --package-id a:b -C mychannel", /expected --include together with --path/],
    [
      "chaincode package FOLDER/text.tar.gz --include .npmrc",
      /expected --include with a folder, found the package text/,
    ],
    ["eject", /either -f FILE or workloads/],
    ["eject statefulset/peer0 -n org1 --diff", /expected -f FILE with --diff/],
    ["eject pod/peer0", /expected deployment\/NAME/],
    ["cleanup --source nosuch", /expected --source to name/],
    ["down", /expected a confirmation/],
    // What a file shows.
    ["init -f FOLDER/nosuch.yaml", /cannot read/],
    ["init -f FOLDER/text.yaml", /is not YAML/],
    ["init -f FOLDER/other.yaml", /is not a FabricNetwork/],
    ["inject -f FOLDER/nosuch.yaml", /cannot read/],
    ["inject -f FOLDER/text.yaml", /is not YAML/],
    ["inject -f FOLDER/empty.json", /begins like JSON/],
    ["inject -f FOLDER/service.yaml --settings FOLDER/text.yaml", /is not YAML/],
    ["inject -f FOLDER/service.yaml --settings FOLDER/other.yaml", /other\.yaml/],
    ["eject -f FOLDER/text.yaml", /is not YAML/],
    ["chaincode package FOLDER/nosuch", /cannot read/],
    ["chaincode package FOLDER", /expected package\.json, go\.mod/],
    ["chaincode package FOLDER/text.tar.gz", /tar\.gz archive/],
    ["chaincode package test/chaincode/counter --file FOLDER/nosuch/a.tar.gz", /cannot write/],
    ["cleanup --msp-dir Org3MSP=FOLDER/nosuch", /expected an MSP folder or an entry of a wallet at/],
    ["cleanup --msp-dir FOLDER", /expected an MSP ID and where its files are/],
    ["cleanup --tls-ca-file Org3MSP=FOLDER/text.yaml", /expected an identity of Org3MSP with its TLS authorities/],
    // What the cluster shows.
    ["status --context nosuch", /expected a context named "nosuch"/],
    ["status --kubeconfig FOLDER/nosuch", /expected a kubeconfig at/],
    ["status --kubeconfig FOLDER/text.yaml", /expected a kubeconfig in/],
    ["status --kubeconfig FOLDER/other.yaml", /expected fields of a kubeconfig, found a/],
    ["status --network nosuch", /expected the Fabric network nosuch .* found fabric/],
    ["init --peers 1", /has peer1\.org1, peer1\.org2, which the new definition lacks/],
    ["invoke asset Create -C mychannel --org org9", /expected a peer organization of the network \(org1, org2\)/],
    ["deploy-cc asset --path . -C mychannel --org org9", /expected organizations of the network \(org1, org2\)/],
    ["deploy-cc asset --path . -C mychannel --peers peer9.org1", /expected peers of the network/],
    ["eject deployment/nosuch -n org1", /expected Deployment org1\/nosuch, found none/],
  ])("%s", async (line, said) => {
    const { code, text } = await run(line);
    expect(text).toMatch(said);
    expect(code).toBe(2);
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("what nobody typed does not", async () => {
    cluster.interfere(({ kind }) => (kind === "ConfigMap" ? "forbidden" : undefined));
    try {
      expect((await run("status")).code).toBe(1);
    } finally {
      cluster.interfere(() => undefined);
    }
  });
});

describe("a schedule", () => {
  test.each(["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7"])(
    "%j is none",
    (text) => expect(() => cronSchedule(text)).toThrow("five fields"),
  );
  test.each(["5-1 * * * *", "*/0 * * * *", "1, * * * *", "@nightly", "@every", "a * * * *"])("%j is none", (text) =>
    expect(() => cronSchedule(text)).toThrow("five fields"),
  );
  test.each(["17 3 * * *", "*/5 0-6,22 1 JAN-mar sun", "0/15 * ? * 1-5", "@daily", "@every 12h", " 0  4 * * * "])(
    "%j is one",
    (text) => expect(cronSchedule(text)).toBe(text),
  );
});

describe("a time", () => {
  test.each([
    "join c --timeout soon",
    "join c --timeout 0",
    "join c --timeout 5x",
    "init --chaincode-idle soon",
    "init --chaincode-idle 4",
    "init --chaincode-idle 4s",
    "cleanup --older-than soon",
    "cleanup --older-than 7",
    "join c --timeout 30",
    "query a f -C c --timeout 1.5s",
  ])("%s is none, and the answer has an example", async (line) => {
    const { code, text } = await run(line);
    expect(text).toMatch(/Expected a time .*30s, 5m, 1h/);
    expect(code).toBe(2);
  });

  test.each([
    ["30s", "30s"],
    ["90m", "90m"],
    ["1d", "24h"],
  ])("%s is taken by every option that takes one", async (given, written) => {
    for (const line of ["webhook install --dry-run", "down --yes --dry-run", "cleanup --dry-run"]) {
      expect((await run(`${line} --timeout ${given}`)).text).not.toMatch(/Expected a time/);
    }
    expect((await run(`cleanup --older-than ${given}`)).text).not.toMatch(/Expected a time/);
    const { stdout } = await session.run(..."init --dry-run -o yaml --chaincode-idle".split(" "), given);
    expect(stdout).toContain(`chaincodeIdle: ${written}\n`);
  });

  test("of years in seconds is taken: so the CronJobs of cleanup say it", async () => {
    expect((await run("cleanup --older-than 86400000s")).text).not.toMatch(/Expected a time/);
  });
});
