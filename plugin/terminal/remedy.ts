import { joined, type Operation, type OperationName, type Operations } from "../../core/remedy.ts";
import type { Remedy, RemedyPart, SettingName, SettingValue } from "../../core/remedy.ts";

/** The options by which a command line has chosen its cluster and its network. */
export interface GivenCluster {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly network?: string | undefined;
}

/**
 * A remedy as the user has to type it, on the cluster and the network of this command line: each command repeats the options that were
 * given, unless it names them itself. A command for another administrator does not: it goes to their own cluster.
 */
export function typed(remedy: Remedy, given: GivenCluster = {}): string {
  return joined([remedy])
    .map((part) => partTyped(part, given))
    .join("");
}

function partTyped(part: RemedyPart, given: GivenCluster): string {
  if (typeof part === "string") return part;
  if ("kubectl" in part)
    return ["kubectl", ...toCluster(given, part.kubectl), ...part.kubectl].map(shellWord).join(" ");
  if ("setting" in part) return optionWords(options[part.setting], part.to ?? true, isRepeated(part.setting)).join(" ");
  return operationTyped(part, given);
}

/** "kubectl fabric", with what was given. Kubectl itself takes no options before the name of a plugin. */
export function kubectlFabric(given: GivenCluster): string {
  const network = given.network === undefined ? [] : ["--network", given.network];
  return ["kubectl", "fabric", ...toCluster(given), ...network].map(shellWord).join(" ");
}

function operationTyped({ operation, of = [], on, with: settings = {}, elsewhere }: Operation, given: GivenCluster) {
  const words = Object.entries(settings).flatMap(([name, value]: [string, SettingValue | undefined]) =>
    value === undefined ? [] : optionWords(optionOf(operation, name as SettingName), value, isRepeated(name)),
  );
  return [
    kubectlFabric(elsewhere ? {} : given),
    commands[operation] ?? operation,
    ...(typeof of === "string" ? [of] : of).map(shellWord),
    ...(on === undefined ? [] : ["-C", shellWord(on)]),
    ...words,
  ].join(" ");
}

function toCluster({ kubeconfig, context }: GivenCluster, said: readonly string[] = []): readonly string[] {
  const given = [
    ["--kubeconfig", kubeconfig],
    ["--context", context],
  ] as const;
  return given.flatMap(([option, value]) => (value === undefined || said.includes(option) ? [] : [option, value]));
}

/** `false` is an option of its own, as in `--no-init`. */
function optionWords(option: string, value: SettingValue, repeated: boolean): readonly string[] {
  if (value === true) return [option];
  if (value === false) return [option.replace(/^--/, "--no-")];
  if (typeof value !== "object") return [option, shellWord(String(value))];
  return repeated ? value.flatMap((each) => [option, shellWord(each)]) : [option, shellWord(value.join(","))];
}

/** Those that are called otherwise than the operation. */
const commands: Readonly<Partial<Record<OperationName, string>>> = { deploy: "deploy-cc" };

/** The option of each setting; exceptions are in `ownOptions`. */
const options: Readonly<Record<SettingName, string>> = {
  build: "--build",
  bundle: "--bundle",
  chaincodeIdle: "--chaincode-idle",
  channel: "--channel",
  clientAuth: "--client-auth",
  collections: "--collections",
  context: "--context",
  dryRun: "--dry-run",
  endorsingOrganizations: "--endorsing-orgs",
  fabricVersion: "--fabric-version",
  file: "-f",
  gonePeers: "--gone-peer",
  identities: "--msp-dir",
  image: "--image",
  include: "--include",
  initArguments: "--init-args",
  initRequired: "--init",
  injectionSettings: "--settings",
  keyPassphrases: "--key-passphrase-file",
  kubeconfig: "--kubeconfig",
  label: "--label",
  language: "--language",
  loadImage: "--load-image",
  namespace: "-n",
  network: "--network",
  nodeImage: "--node-image",
  nodeNamespace: "--node-namespace",
  nodeSocket: "--node-socket",
  offline: "--offline",
  olderThan: "--older-than",
  ordererImage: "--orderer-image",
  ordererMemory: "--orderer-memory",
  ordererOrganization: "--orderer-org",
  organization: "--org",
  organizations: "--orgs",
  output: "-o",
  packageId: "--package-id",
  path: "--path",
  peerImage: "--peer-image",
  peerMemory: "--peer-memory",
  peerOrganizations: "--peer-orgs",
  peers: "--peer",
  per: "--per",
  policy: "--policy",
  profile: "--profile",
  rollbackTo: "--rollback-to",
  runtime: "--runtime",
  sources: "--source",
  start: "--start",
  storageClass: "--storage-class",
  timeout: "--timeout",
  tlsAuthorities: "--tls-ca-file",
  transientBase64File: "--transient-base64-file",
  transientFile: "--transient-file",
  version: "--chaincode-version",
  yes: "--yes",
};

/** Options that a command spells otherwise than the others. */
const ownOptions: { readonly [Name in OperationName]?: { readonly [Key in keyof Operations[Name]]?: string } } = {
  cleanup: { organizations: "--org" },
};

function optionOf(operation: OperationName, setting: SettingName): string {
  const own: Readonly<Partial<Record<SettingName, string>>> = ownOptions[operation] ?? {};
  return own[setting] ?? options[setting];
}

/** Whether the option is repeated for each value: a value may have commas. */
const isRepeated = (setting: string): boolean => repeated.has(setting);
const repeated: ReadonlySet<string> = new Set(["identities", "keyPassphrases", "loadImage", "tlsAuthorities"]);

/** A word as a shell takes it. What is in brackets, "[ARGUMENT...]", is for the user to fill in, as capitals are. */
const shellWord = (word: string): string =>
  /^[\w./:@+,=-]+$|^\[[A-Z]+\.\.\.\]$/.test(word) ? word : `"${word.replace(/(["$`\\])/g, "\\$1")}"`;
