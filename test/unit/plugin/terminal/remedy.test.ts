import { execFileSync } from "node:child_process";
import { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import {
  joined,
  type MentionedSetting,
  type Operation,
  type OperationName,
  type Operations,
  type Remedy,
} from "../../../../core/remedy.ts";
import { newProgram } from "../../../../plugin/program.ts";
import { kubectlFabric, typed } from "../../../../plugin/terminal/remedy.ts";

const all = { kubeconfig: "./my kube/config", context: "c", network: "trade" };
const ours = 'kubectl fabric --kubeconfig "./my kube/config" --context c --network trade';
const kubernetes = 'kubectl --kubeconfig "./my kube/config" --context c';

describe("a remedy is typed", () => {
  test.each<[Remedy, string, string]>([
    [{ operation: "init" }, "kubectl fabric init", `${ours} init`],
    [{ kubectl: ["-n", "org1", "get", "pods"] }, "kubectl -n org1 get pods", `${kubernetes} -n org1 get pods`],
    [
      [{ kubectl: ["get", "pods", "-n", "org1"] }, "; once it runs, ", { operation: "status" }],
      "kubectl get pods -n org1; once it runs, kubectl fabric status",
      `${kubernetes} get pods -n org1; once it runs, ${ours} status`,
    ],
    // What it names itself.
    [
      { kubectl: ["--context", "c", "cluster-info"] },
      "kubectl --context c cluster-info",
      'kubectl --kubeconfig "./my kube/config" --context c cluster-info',
    ],
    [
      { kubectl: ["config", "view", "--kubeconfig", "./my kube/config"] },
      'kubectl config view --kubeconfig "./my kube/config"',
      'kubectl --context c config view --kubeconfig "./my kube/config"',
    ],
    // Theirs is another kubeconfig.
    [
      ["the administrator of org2 types: ", { operation: "deploy", of: "a", elsewhere: true }],
      "the administrator of org2 types: kubectl fabric deploy-cc a",
      "the administrator of org2 types: kubectl fabric deploy-cc a",
    ],
    [
      "this is a defect of kubectl-fabric: kubectl fabric init is of no use",
      "this is a defect of kubectl-fabric: kubectl fabric init is of no use",
      "this is a defect of kubectl-fabric: kubectl fabric init is of no use",
    ],
    [
      [{ setting: "initRequired" }, " or ", { setting: "initRequired", to: false }],
      "--init or --no-init",
      "--init or --no-init",
    ],
    [{ setting: "organizations", to: ["org1", "org2"] }, "--orgs org1,org2", "--orgs org1,org2"],
    [
      { operation: "deploy", of: "a", on: "ch", with: { path: "DIR", version: undefined, policy: "OR('A.peer')" } },
      "kubectl fabric deploy-cc a -C ch --path DIR --policy \"OR('A.peer')\"",
      `${ours} deploy-cc a -C ch --path DIR --policy "OR('A.peer')"`,
    ],
    [
      { operation: "invoke", of: ["a", "FUNCTION", "[ARGUMENT...]"], with: { channel: "ch" } },
      "kubectl fabric invoke a FUNCTION [ARGUMENT...] --channel ch",
      `${ours} invoke a FUNCTION [ARGUMENT...] --channel ch`,
    ],
    [
      { operation: "cleanup", with: { identities: ["A=./a,b", "B=./b"] } },
      "kubectl fabric cleanup --msp-dir A=./a,b --msp-dir B=./b",
      `${ours} cleanup --msp-dir A=./a,b --msp-dir B=./b`,
    ],
  ])("%j", (remedy, plain, given) => {
    expect(typed(remedy)).toBe(plain);
    expect(typed(remedy, all)).toBe(given);
    expect(kubectlFabric(all)).toBe(ours);
  });

  test("joined with others that are there", () => {
    const status = [{ operation: "status" }, " tells"] as const;
    expect(typed(joined(["wait", undefined, status, { setting: "yes" }], "; "))).toBe(
      "wait; kubectl fabric status tells; --yes",
    );
    expect(joined([undefined], "; ")).toEqual([]);
  });
});

test("names and settings that there are not do not compile", () => {
  const wrong: readonly Remedy[] = [
    // @ts-expect-error no such operation
    { operation: "deploy-cc" },
    // @ts-expect-error a setting of another operation
    { operation: "join", of: "c", with: { chaincodeIdle: "10m" } },
    // @ts-expect-error an option is no setting
    ["idle: ", { operation: "init", with: { "chaincode-idle": "10m" } }],
    // @ts-expect-error another value
    { operation: "deploy", with: { rollbackTo: "3" } },
    // @ts-expect-error an operation without settings
    { operation: "status", with: { yes: true } },
    // @ts-expect-error no such setting
    [{ setting: "orgs" }, " leaves it out"],
  ];
  expect(wrong).toHaveLength(6);
});

/** Each operation with what it is about, and every setting of it. */
const operations: {
  readonly [Name in OperationName]: { readonly of?: readonly string[]; readonly with: Required<Operations[Name]> };
} = {
  init: {
    with: {
      file: "FILE",
      fabricVersion: "3.1",
      peerImage: "registry:5000/peer:1",
      ordererImage: "registry:5000/orderer:1",
      storageClass: "fast",
      profile: "restricted",
      chaincodeIdle: "10m",
      dryRun: true,
      output: "yaml",
    },
  },
  join: { of: ["mychannel"], with: { organizations: ["org1", "org2"] } },
  deploy: {
    of: ["asset"],
    with: {
      channel: "mychannel",
      runtime: "service",
      start: "node",
      per: "peer",
      path: "./my chaincode",
      include: [".npmrc"],
      bundle: true,
      image: "asset:1",
      language: "node",
      packageId: "asset:0a",
      rollbackTo: 3,
      label: "asset_1",
      version: "1",
      policy: "AND('Org1MSP.peer','Org2MSP.peer')",
      collections: "collections.json",
      initRequired: true,
      clientAuth: true,
      organization: "org1",
    },
  },
  invoke: { of: ["asset", "FUNCTION", "[ARGUMENT...]"], with: { channel: "mychannel" } },
  query: { of: ["asset", "FUNCTION"], with: { channel: "mychannel" } },
  "chaincode list": { with: {} },
  "chaincode inspect": { of: ["asset"], with: { channel: "mychannel" } },
  "chaincode seed": { of: ["asset"], with: {} },
  "chaincode package": { of: ["./asset"], with: { offline: true } },
  "webhook install": { with: {} },
  "webhook status": { with: {} },
  inject: { with: { file: "-" } },
  eject: { of: ["deployment/NAME"], with: { namespace: "org1" } },
  cleanup: {
    with: {
      yes: true,
      olderThan: "7d",
      organizations: ["org1"],
      peers: ["peer0.org1"],
      sources: ["dind"],
      identities: ["A=./a", "B=./b c"],
      tlsAuthorities: ["A=./tls.pem", "B=./t,ls.pem"],
      keyPassphrases: ["./p,1", "/dev/fd/3"],
      gonePeers: ["peer9"],
      nodeNamespace: "kube-system",
      nodeImage: "docker:28-cli",
      nodeSocket: "/run/docker.sock",
    },
  },
  status: { with: {} },
  doctor: { with: {} },
  down: { with: {} },
};

/** Settings that are named by themselves, and the command that has them. */
const mentioned: Readonly<Record<MentionedSetting, string>> = {
  kubeconfig: "",
  context: "",
  network: "",
  timeout: "init",
  peerOrganizations: "init",
  ordererOrganization: "init",
  peerMemory: "init",
  ordererMemory: "init",
  build: "deploy-cc",
  initArguments: "deploy-cc",
  loadImage: "deploy-cc",
  endorsingOrganizations: "invoke",
  transientBase64File: "invoke",
  transientFile: "invoke",
  injectionSettings: "inject",
};

/** The program, with nothing behind its commands. */
function idleProgram(): Command {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const { signal } = new AbortController();
  const program = newProgram({ stdout: sink, stderr: sink, stdin: Readable.from([]), env: {}, signal });
  const idle = (command: Command): void => {
    if (command.commands.length === 0 || command.name() === "cleanup") command.action(() => {});
    for (const below of command.commands) idle(below);
  };
  idle(program);
  return program;
}

/** The words that kubectl gets of a shell. */
function argvOf(line: string): readonly string[] {
  return execFileSync("sh", ["-c", `kubectl() { printf '%s\\0' "$@"; }\n${line}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);
}

describe("the program knows", () => {
  const remedies = Object.entries(operations).flatMap(([operation, { of = [], with: settings }]) => {
    const { file, ...others } = settings as Readonly<Record<string, unknown>>;
    // A file stands instead of all else that `init` has.
    const some = file === undefined || Object.keys(others).length === 0 ? [settings] : [{ file }, others];
    return some.map((chosen) => ({ operation, of, with: chosen }) as Operation);
  });

  test.each(remedies.map((remedy) => [typed(remedy, all), remedy] as const))("%s", async (line, remedy) => {
    const [plugin, ...argv] = argvOf(line);
    expect(plugin).toBe("fabric");
    const program = idleProgram();
    await program.parseAsync(argv, { from: "user" });
    expect(program.opts()).toMatchObject(all);
    expect(optionsGiven(program)).toBe(3 + Object.keys(remedy.with ?? {}).length);
  });

  test("a setting that is denied", async () => {
    for (const remedy of [
      { operation: "init", with: { chaincodeIdle: false } },
      { operation: "deploy", of: "asset", on: "mychannel", with: { initRequired: false } },
    ] as const) {
      const program = idleProgram();
      await program.parseAsync(argvOf(typed(remedy)).slice(1), { from: "user" });
      expect(optionsGiven(program)).toBe("on" in remedy ? 2 : 1);
    }
  });

  test.each(Object.entries(mentioned) as [MentionedSetting, string][])("the setting %s, of %s", (setting, name) => {
    const program = idleProgram();
    const command = name === "" ? program : program.commands.find((one) => one.name() === name);
    expect(command?.options.map(({ long }) => long)).toContain(typed({ setting }));
  });
});

/** How many options a command line has set, in whichever command. */
function optionsGiven(command: Command): number {
  const own = Object.keys(command.opts()).filter((name) => command.getOptionValueSource(name) === "cli").length;
  return own + command.commands.reduce((sum, below) => sum + optionsGiven(below), 0);
}
