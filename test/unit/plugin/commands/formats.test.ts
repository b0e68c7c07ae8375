// Every command in every format of -o: it prints a result that a parser of the format takes, or refuses the format as wrong usage
// before anything is asked, with those that are possible. What needs nodes that answer is only seen to take a format here; what it
// prints then is the end-to-end tests'.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { Readable, Writable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { newProgram } from "../../../../plugin/program.ts";
import { outputFormats, type OutputFormat } from "../../../../plugin/terminal/output.ts";
import { clusterWithWebhook, init, small } from "../../core/network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

interface Case {
  /** FOLDER stands for the one with the files. */
  readonly line: string;
  /** What it prints in; all formats unless told. */
  readonly formats?: readonly OutputFormat[];
  /** What is not here, so that it ends before it prints. */
  readonly lacks?: "nodes that answer" | "CronJobs";
  /** What it names there is none of in an untouched network. */
  readonly noNames?: true;
}

const peer = `apiVersion: v1
kind: Pod
metadata: {name: peer0, annotations: {kubectl-fabric.io/inject: "true"}}
spec:
  containers:
    - {name: peer, image: "hyperledger/fabric-peer:3.1", command: [peer, node, start]}
`;

const cases: Readonly<Record<string, Case>> = {
  up: { line: "up --chaincode test/chaincode/counter --dry-run" },
  doctor: { line: "doctor", formats: ["table", "json", "yaml"] },
  "webhook install": { line: "webhook install --dry-run" },
  "webhook uninstall": { line: "webhook uninstall --dry-run" },
  "webhook status": { line: "webhook status" },
  init: { line: "init --dry-run" },
  join: { line: "join mychannel --dry-run" },
  "deploy-cc": { line: "deploy-cc asset --path test/chaincode/counter -C mychannel", lacks: "nodes that answer" },
  invoke: { line: "invoke asset Create -C mychannel", lacks: "nodes that answer" },
  query: { line: "query asset Read -C mychannel", lacks: "nodes that answer", formats: ["table", "json", "yaml"] },
  "chaincode package": { line: "chaincode package test/chaincode/counter" },
  "chaincode list": { line: "chaincode list", lacks: "nodes that answer" },
  "chaincode inspect": { line: "chaincode inspect asset", lacks: "nodes that answer" },
  "chaincode logs": { line: "chaincode logs asset", lacks: "nodes that answer", formats: ["table"] },
  "chaincode restart": { line: "chaincode restart asset", lacks: "nodes that answer" },
  "chaincode seed": { line: "chaincode seed", lacks: "nodes that answer" },
  status: { line: "status" },
  inject: { line: "inject -f FOLDER/peer.yaml" },
  "inject --diff": { line: "inject -f FOLDER/peer.yaml --diff", formats: ["table"] },
  eject: { line: "eject statefulset/peer0 -n org1 --dry-run" },
  "eject -f": { line: "eject -f FOLDER/injected.yaml" },
  "eject -f --diff": { line: "eject -f FOLDER/injected.yaml --diff", formats: ["table"] },
  cleanup: { line: "cleanup", noNames: true },
  "cleanup schedule": { line: "cleanup schedule --dry-run", lacks: "CronJobs" },
  "cleanup unschedule": { line: "cleanup unschedule --dry-run", lacks: "CronJobs" },
  down: { line: "down --yes --dry-run" },
};

let cluster: ScriptedCluster;
let session: CommandSession;
/** A cluster without networks: only there the webhook may go. */
let bare: ScriptedCluster;
let onBare: CommandSession;
let folder: string;
beforeAll(async () => {
  cluster = await clusterWithWebhook();
  bare = await scriptedCluster();
  onBare = await commandSession(bare);
  await onBare.run("webhook", "install");
  await init(cluster, small);
  session = await commandSession(cluster);
  folder = await mkdtemp(join(tmpdir(), "formats-"));
  await writeFile(join(folder, "peer.yaml"), peer);
  await writeFile(join(folder, "injected.yaml"), (await run("inject -f FOLDER/peer.yaml")).stdout);
});
// Commands that find something not ready say so to the process, which here is that of the tests.
afterEach(() => void (process.exitCode = undefined));
afterAll(async () => {
  await Promise.all([session, onBare].map((one) => one.close()));
  await Promise.all([cluster, bare].map((one) => one.close()));
  await rm(folder, { recursive: true, force: true });
});

const run = (line: string) =>
  (line.startsWith("webhook uninstall") ? onBare : session).run(
    ...line.split(" ").map((word) => word.replace("FOLDER", folder)),
  );

function commandsBelow(command: Command, path: readonly string[] = []): readonly string[] {
  return command.commands.flatMap((child) => {
    const names = [...path, child.name()];
    return [names.join(" "), ...commandsBelow(child, names)];
  });
}

test("each command is looked at", () => {
  const sink = new Writable();
  const { signal } = new AbortController();
  const program = newProgram({ stdout: sink, stderr: sink, stdin: Readable.from([]), env: {}, signal });
  const groups = ["webhook", "chaincode"];
  const seen = Object.keys(cases).map((name) => name.replace(/ -.*/, ""));
  expect([...new Set(seen)].toSorted()).toEqual(
    commandsBelow(program)
      .filter((name) => !groups.includes(name))
      .toSorted(),
  );
});

const all = Object.entries(cases).map(([name, one]) => ({ name, ...one, formats: one.formats ?? outputFormats }));
const each = all.flatMap((one) => outputFormats.map((format) => ({ ...one, format })));
const refused = each.filter(({ format, formats }) => !formats.includes(format));
const taken = each.filter(({ format, formats }) => formats.includes(format));
const printed = (format: OutputFormat) => taken.filter((one) => one.format === format && one.lacks === undefined);

describe("-o", () => {
  test.each(refused)(
    "$format of $name is refused before anything is asked",
    async ({ name, line, format, formats }) => {
      const count = cluster.requests.length;
      const { stdout, error } = await run(`${line} -o ${format}`);
      expect(error).toMatchObject({
        code: "usage",
        message: `expected -o ${listOf(formats)} of kubectl fabric ${name.replace(" -f", "")}, found ${format}`,
        hint: expect.stringContaining(`kubectl fabric ${name.replace(/ -.*/, "")}`),
      });
      expect(stdout).toBe("");
      expect(cluster.requests.length).toBe(count);
    },
  );

  test.each(taken.filter(({ lacks }) => lacks !== undefined))("$format of $name is taken", async ({ line, format }) => {
    const count = cluster.requests.length;
    const { error } = await run(`${line} -o ${format}`);
    expect(error).not.toMatchObject({ code: "usage" });
    expect(cluster.requests.length).toBeGreaterThan(count);
  });

  test.each(printed("json"))("json of $name is JSON", async ({ line }) => {
    const { stdout, error } = await run(`${line} -o json`);
    expect(error).toBeUndefined();
    expect(JSON.parse(stdout)).toBeTypeOf("object");
  });

  test.each(printed("yaml"))("yaml of $name is YAML", async ({ line }) => {
    const { stdout, error } = await run(`${line} -o yaml`);
    expect(error).toBeUndefined();
    expect(parse(stdout)).toBeTypeOf("object");
  });

  // A definition for an editor is all that `init --dry-run -o yaml` prints; a manifest is printed as it was written.
  test.each(printed("yaml").filter(({ line }) => !/^(init|inject|eject -f)/.test(line)))(
    "yaml and json of $name say the same",
    async ({ line }) => {
      const yaml: unknown = parse((await run(`${line} -o yaml`)).stdout);
      expect(keysOf(yaml)).toEqual(keysOf(JSON.parse((await run(`${line} -o json`)).stdout)));
    },
  );

  test.each(printed("name"))("name of $name is one a line, without blanks, for xargs", async ({ line, noNames }) => {
    const { stdout, error } = await run(`${line} -o name`);
    expect(error).toBeUndefined();
    expect(stdout).toMatch(noNames ? /^$/ : /^(\S+\n)+$/);
  });

  test.each(printed("table"))("table of $name is whole lines", async ({ line }) => {
    const { stdout, error } = await run(`${line} -o table`);
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/\S.*\n$/);
  });
});

const listOf = (formats: readonly OutputFormat[]): string =>
  formats.length === 1 ? String(formats[0]) : `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}`;

const keysOf = (value: unknown): readonly string[] => Object.keys(value as object).toSorted();
