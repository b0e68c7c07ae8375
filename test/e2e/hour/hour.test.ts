// An operator's hour, in order: what README and --help say is typed, on a network of two organizations with two peers each, and
// what goes wrong in an hour goes wrong. Whatever a command meets, it ends with a code of ours and says nothing of its own sources.
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, describe, expect, inject } from "vitest";
import { parse, stringify } from "yaml";
import { newKubectl } from "../../sandbox/kubectl.ts";
import { newStory } from "../../story.ts";
import { podsOf, whileCalled } from "../availability.ts";
import { fabrics, loadImage, newest } from "../fabrics.ts";
import { newPlugin, type PlansJson, type PluginResult } from "../plugin-process.ts";
import { publish } from "../service-image.ts";

const { kubeconfig, binDir } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const source = join(import.meta.dirname, "../../chaincode/asset-transfer");
const either = "OR('Org1MSP.peer','Org2MSP.peer')";
/** Every node and every command takes its time here. */
const long = 300_000;

interface Definition {
  readonly spec: {
    readonly ordererOrganization: { namespace: string };
    readonly peerOrganizations: { readonly name: string; namespace: string }[];
  };
}

interface State {
  readonly version: string;
  readonly sequence: number;
  readonly policy: string;
  readonly collections: readonly { readonly name: string }[];
}

describe.each(fabrics)("an hour with Fabric $version", ({ tag }) => {
  const story = newStory({ before: 4 * long });
  const network = `hour-${tag.replace(".", "-")}`;
  const namespaceOf = (organization: string) => `${network}-${organization}`;
  const bare = newPlugin("--network", network);
  let folder = "";
  const file = (name: string) => join(folder, name);

  /** Whatever a command does, it does in order. */
  async function run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<PluginResult> {
    return inOrder(args, await bare.run(args, env));
  }
  function inOrder(args: readonly string[], result: PluginResult): PluginResult {
    const { code, stderr } = result;
    const orderly = code !== null && [0, 1, 2, 3, 130].includes(code);
    const said = code === 0 || code === 3 || /^(error: .+|\{"error":.+)/m.test(stderr);
    if (!orderly || !said || /^\s+at |unhandled|defect of kubectl-fabric|chunks\//im.test(stderr))
      throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`);
    return result;
  }
  async function output(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await run(args);
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }
  const json = async <T = PlansJson>(args: readonly string[]) => JSON.parse(await output([...args, "-o", "json"])) as T;
  const channel = ["-C", "mychannel"];
  const deploy = (...args: readonly string[]) => ["deploy-cc", ...args, ...channel, ...loadImage];
  const state = (name: string) => json<State>(["chaincode", "inspect", name, ...channel]);
  const changedOf = ({ steps }: PlansJson) =>
    steps.filter(({ result }) => result === "changed").map(({ id }) => id.replace(/\/.*/, ""));
  const invoke = (id: string, name = "asset") => output(["invoke", name, "CreateAsset", id, "tom", "1", ...channel]);
  /** A peer that did not commit has the block a moment later. */
  async function readable(id: string, name = "asset"): Promise<void> {
    for (const org of ["org1", "org2"]) {
      const read = () => run(["query", name, "ReadAsset", id, ...channel, "--org", org]);
      await expect.poll(read, { timeout: 60_000 }).toMatchObject({ code: 0, stdout: expect.stringContaining("tom") });
    }
  }
  /** Another version of the source each time. */
  async function newVersion(version: number): Promise<string> {
    const copy = file(`v${version}`);
    await cp(source, copy, { recursive: true });
    const manifest = JSON.parse(await readFile(join(copy, "package.json"), "utf8")) as object;
    await writeFile(join(copy, "package.json"), JSON.stringify({ ...manifest, version: `1.0.${version}` }));
    return copy;
  }
  const whileAssetIsCalled = <T>(work: () => Promise<T>) => whileCalled({ plugin: bare, kubectl, network }, work);
  const rollout = (namespace: string, peer: string) =>
    kubectl(["-n", namespace, "rollout", "status", `statefulset/${peer}`, "--timeout=180s"]);

  afterAll(async () => {
    await bare.output(["down", "--yes"]);
    await rm(folder, { recursive: true, force: true });
  });

  story("a definition is printed, edited and made", { timeout: long }, async () => {
    folder = await mkdtemp(join(tmpdir(), `${network}-`));
    const printed = await output(["init", "--fabric-version", tag, "--peers", "2", "--dry-run", "-o", "yaml"]);
    const definition = parse(printed) as Definition;
    definition.spec.ordererOrganization.namespace = namespaceOf("orderer");
    for (const organization of definition.spec.peerOrganizations)
      organization.namespace = namespaceOf(organization.name);
    await writeFile(file("network.yaml"), stringify(definition));
    expect((await json(["init", "-f", file("network.yaml")])).changed).toBeGreaterThan(0);
    expect(await json(["init", "-f", file("network.yaml")])).toMatchObject({ changed: 0 });
    expect(await json(["init"])).toMatchObject({ changed: 0 });
    expect(await json(["status"])).toMatchObject({ ready: true, upToDate: true });
  });

  story("two channels, and a chaincode", { timeout: long }, async () => {
    for (const name of ["mychannel", "second"]) {
      expect((await json(["join", name])).changed).toBeGreaterThan(0);
      expect(await json(["join", name])).toMatchObject({ changed: 0 });
    }
    expect((await json(deploy("asset", "--path", source))).changed).toBeGreaterThan(0);
    expect(await json(deploy("asset", "--path", source))).toMatchObject({ changed: 0 });
    await invoke("a1");
    await readable("a1");
    // What four commands have made, `up` finds as it is.
    expect(await json(["up", "--chaincode", source, "--name", "asset", ...loadImage])).toMatchObject({ changed: 0 });
    await output(["deploy-cc", "asset", "--path", source, "-C", "second"]);
    await output(["invoke", "asset", "CreateAsset", "b1", "ann", "2", "-C", "second"]);
  });

  const looks: readonly string[] = [
    "status",
    "doctor",
    "webhook status",
    "chaincode list",
    "chaincode inspect asset -C mychannel",
    `chaincode package ${source}`,
    "chaincode seed --dry-run",
    "chaincode restart asset -C mychannel --dry-run",
    `deploy-cc asset -C mychannel --path ${source} --dry-run`,
    "deploy-cc asset -C mychannel --rollback-to 1 --dry-run",
    "join mychannel --dry-run",
    "init --dry-run",
    "init --chaincode-idle 10m --dry-run",
    "cleanup",
    "cleanup schedule --dry-run",
    "cleanup unschedule --dry-run",
    `eject statefulset/peer0 -n ${namespaceOf("org1")} --dry-run`,
    "down --dry-run",
    "query asset ReadAsset a1 -C mychannel",
  ];
  const noNames = /^(doctor|query)/;

  story("each format of each command that looks, through a parser", { timeout: long }, async () => {
    for (const line of looks) {
      const words = line.split(" ");
      const read = { json: JSON.parse as (text: string) => unknown, yaml: parse as (text: string) => unknown };
      for (const [format, parser] of Object.entries(read)) {
        const stdout = await output([...words, "-o", format]);
        expect({ line, is: typeof parser(stdout) }).toEqual({ line, is: "object" });
      }
      const { code, stderr } = await run([...words, "-o", "name"]);
      expect({ line, stderr, code }).toMatchObject({ line, code: noNames.test(line) ? 2 : 0 });
    }
    expect(JSON.parse(await output(["invoke", "asset", "CreateAsset", "f1", "tom", "1", ...channel, "-o", "json"])))
      .toHaveProperty("transactionId"); // prettier-ignore
    expect(parse(await output(["invoke", "asset", "CreateAsset", "f2", "tom", "1", ...channel, "-o", "yaml"])))
      .toHaveProperty("transactionId"); // prettier-ignore
  });

  story("nothing is wider than COLUMNS", { timeout: long }, async () => {
    const helps = ["", "init", "join", "deploy-cc", "chaincode", "chaincode logs", "cleanup", "eject", "down"];
    for (const line of [...looks, ...helps.map((name) => `${name} --help`.trim())]) {
      if (line.startsWith("query")) continue; // what a chaincode answers is printed as it is
      const { stdout } = await run(line.split(" "), { COLUMNS: "60" });
      expect(stdout).not.toBe("");
      // What is to be copied stays in one line: a command, a package ID.
      const wide = stdout
        .split("\n")
        .filter((text) => text.length > 60 && text.trim().includes(" ") && !text.startsWith("next: "));
      expect({ line, wide }).toEqual({ line, wide: [] });
    }
  });

  story("wrong words end with 2, say what was expected, and change nothing", { timeout: long }, async () => {
    await writeFile(file("broken.json"), '[\n  {"name": "a",\n   "policy" "x"}\n]');
    const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
      [["innit"], /unknown command/],
      [["init", "--peers", "1"], /which the new definition lacks/],
      [["join", "My_Channel"], /expected a channel name/],
      [["join", "mychannel", "--timeout", "5"], /Expected a time/],
      [deploy("asset", "--rollback-to", "9"), /expected sequence 1, the only one, found 9/],
      [deploy("asset", "--org", "org9"), /expected .*\(org1, org2\), found org9/],
      [deploy("asset", "--policy", "OutOf(3, 'Org1MSP.peer', 'Org2MSP.peer')"), /OutOf/],
      [deploy("asset", "--collections", file("broken.json")), /line 3/],
      [deploy("asset", "--path", file("nosuch")), /cannot read/],
      [["invoke", "asset", "ReadAsset", "a1", "-C", "nochan"], /nochan.*mychannel|mychannel.*nochan/s],
      [["query", "asset", "ReadAsset", "a1", "-C", "nochan"], /nochan.*mychannel|mychannel.*nochan/s],
      [["invoke", "asset", "ReadAsset", "a1", ...channel, "--endorsing-orgs", "org9"], /org1, org2/],
      [["query", "asset", "ReadAsset", "a1", ...channel, "--org", "org9"], /org1, org2/],
      [["chaincode", "logs", "asset", "-C", "mychannel", "--peer", "peer9.org1"], /peer9\.org1/],
      [["chaincode", "logs", "asset", "-C", "mychannel", "-o", "json"], /expected -o table/],
      [["cleanup", "--source", "nosuch"], /expected --source to name/],
      [["cleanup", "--older-than", "7"], /Expected a time/],
      [["down"], /expected a confirmation/],
      [["status", "--context", "nosuch"], /expected a context named/],
    ];
    const before = await state("asset");
    for (const [args, said] of wrong) {
      const { code, stdout, stderr } = await run(args);
      const told = { args: args.join(" "), code, stdout, stderr };
      expect(told).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(said) });
    }
    expect(await state("asset")).toMatchObject({ sequence: before.sequence, policy: before.policy });
  });

  story("upgraded, with another policy, with collections, back and forth", { timeout: 2 * long }, async () => {
    const collections = file("collections.json");
    const members = "OR('Org1MSP.member', 'Org2MSP.member')";
    await writeFile(collections, JSON.stringify([{ name: "appraisals", policy: members, memberOnlyRead: true }]));
    await output(deploy("asset", "--path", await newVersion(2)));
    expect(await state("asset")).toMatchObject({ version: "2", sequence: 2 });
    const policy = changedOf(await json(deploy("asset", "--policy", either)));
    expect(policy).not.toContain("install");
    expect(await state("asset")).toMatchObject({ version: "2", sequence: 3, policy: either.replace(",", ", ") });
    await output(deploy("asset", "--collections", collections));
    expect((await state("asset")).collections).toMatchObject([{ name: "appraisals" }]);
    await writeFile(file("transient.json"), '{"appraisal":"42"}');
    const appraisal = ["Appraise", "appraisals", "a1", "--transient-file", file("transient.json")];
    await output(["invoke", "asset", ...appraisal, "--endorsing-orgs", "org1", ...channel]);
    await readable("a1");
    await output(deploy("asset", "--rollback-to", "1"));
    // Fabric takes no collection away.
    expect(await state("asset")).toMatchObject({ version: "1", sequence: 5, collections: [{ name: "appraisals" }] });
    await output(deploy("asset", "--rollback-to", "4"));
    expect(await state("asset")).toMatchObject({ version: "2", sequence: 6, collections: [{ name: "appraisals" }] });
    expect(await json(deploy("asset", "--rollback-to", "4"))).toMatchObject({ changed: 0 });
    await invoke("a2");
    await readable("a2");
  });

  story("a chaincode that has to be initialized, upgraded", { timeout: long }, async () => {
    const init = (id: string) => ["--init", "--init-args", `{"Args":["CreateAsset","${id}","tom","7"]}`];
    expect(changedOf(await json(deploy("ready", "--path", source, ...init("i1"))))).toContain("init");
    await readable("i1", "ready");
    expect(changedOf(await json(deploy("ready", "--path", file("v2"), ...init("i2"))))).toContain("init");
    await readable("i2", "ready");
  });

  story("one organization at a time", { timeout: long }, async () => {
    const late = (...args: readonly string[]) => deploy("late", "--path", source, ...args);
    const first = await run(late("--org", "org2"));
    expect(first.stderr).toMatch(/still to approve: Org1MSP/);
    expect(first.stderr).toMatch(/kubectl fabric deploy-cc late .*--org org1/);
    expect(first.code).toBe(3);
    // What the other approved is not what this one is about to.
    const other = await run(late("--org", "org1", "--policy", either));
    expect(other.stderr).toMatch(/org2|Org2MSP/);
    expect(other.code).not.toBe(0);
    await output(late("--org", "org1"));
    await invoke("l1", "late");
    await readable("l1", "late");
  });

  story(
    "a peer's Pod is deleted in the middle, the plugin killed, and stopped by Ctrl-C",
    { timeout: 2 * long },
    async () => {
      const org1 = namespaceOf("org1");
      const harms: Readonly<Record<string, (upgrade: readonly string[], sequence: number) => Promise<void>>> = {
        async deleted(upgrade, sequence) {
          const { child, ended } = bare.start(upgrade);
          await once(child.stderr as Readable, "data");
          await kubectl(["-n", org1, "delete", "pod", "peer1-0", "--wait=false"]);
          // What is said where it fails tells which step did not survive it.
          const { code, stderr } = inOrder(upgrade, await ended);
          expect({ survived: code === 0 || code === 3, code, stderr }).toMatchObject({ survived: true });
          // One peer does not stop the others.
          expect((await state("asset")).sequence).toBe(sequence + 1);
          await rollout(org1, "peer1");
        },
        async killed(upgrade) {
          expect((await bare.killedAfter(2, upgrade)).signal).toBe("SIGKILL");
        },
        async stopped(upgrade) {
          const { child, ended } = bare.start(upgrade);
          await once(child.stderr as Readable, "data");
          child.kill("SIGINT");
          expect(inOrder(upgrade, await ended)).toMatchObject({ code: 130 });
        },
      };
      for (const [index, [harm, doHarm]] of Object.entries(harms).entries()) {
        const upgrade = deploy("asset", "--path", await newVersion(3 + index));
        const { sequence } = await state("asset");
        await doHarm(upgrade, sequence);
        await output(upgrade);
        expect(await json(upgrade)).toMatchObject({ changed: 0 });
        expect((await state("asset")).sequence).toBe(sequence + 1);
        await invoke(`after-${harm}`);
        await readable(`after-${harm}`);
      }
    },
  );

  story("a pipe that nobody reads any more", async () => {
    for (const line of ["status", "chaincode list -o json", "chaincode logs asset -C mychannel -f", "--help"]) {
      const { child, ended } = bare.start(line.split(" "));
      child.stdout?.destroy();
      const { code, stderr } = inOrder([line], await ended);
      expect([line, code, stderr]).toEqual([line, 0, ""]);
    }
  });

  story("a peer that lost its Docker graph", { timeout: long }, async () => {
    const org2 = namespaceOf("org2");
    const claims = (await kubectl(["-n", org2, "get", "pvc", "-o", "name"])).split("\n");
    const graph = claims.find((name) => /peer1/.test(name) && /docker/.test(name));
    expect(claims).toContain(graph);
    await kubectl(["-n", org2, "scale", "statefulset/peer1", "--replicas=0", "--timeout=60s"]);
    await kubectl(["-n", org2, "wait", "pod/peer1-0", "--for=delete", "--timeout=60s"]);
    await kubectl(["-n", org2, "delete", graph ?? ""]);
    await kubectl(["-n", org2, "scale", "statefulset/peer1", "--replicas=1", "--timeout=60s"]);
    await output(["init"]);
    await rollout(org2, "peer1");
    await output(["chaincode", "seed", ...loadImage]);
    expect(await json(["chaincode", "seed", "--dry-run"])).toMatchObject({ wouldChange: 0 });
    await kubectl(["-n", org2, "delete", "pod", "peer0-0", "--wait=false"]);
    await readable("a1");
    await rollout(org2, "peer0");
  });

  story("as a service, back in the peers, and on demand", { timeout: 2 * long }, async () => {
    const image = `docker.io/example/${network}:1`;
    await output(deploy("served", "--path", source, "--label", "served"));
    await invoke("s1", "served");
    await publish(kubectl, { namespace: namespaceOf("org1"), chaincode: "served", image });
    const served = ["deploy-cc", "served", ...channel, "--runtime", "service", "--image", image, "--start", "node"];
    await output(served);
    expect(await json(served)).toMatchObject({ changed: 0 });
    await invoke("s2", "served");
    await readable("s1", "served");
    expect(await output(["chaincode", "list"])).toMatch(/serving/);
    await output(["chaincode", "restart", "served", ...channel]);
    await readable("s2", "served");
    await output(deploy("served", "--rollback-to", "1"));
    await readable("s2", "served");
    const gone = await run(deploy("served", "--rollback-to", "2"));
    expect(gone.stderr).toMatch(/expected the service that peers of org1 are to call, .*, found none/);
    expect(gone.code).toBe(2);
    const component = ["-l", "app.kubernetes.io/component=chaincode", "-o", "name"];
    const kinds = "deployments,services,networkpolicies,secrets,pods";
    for (const organization of ["org1", "org2"]) {
      const left = () => kubectl(["-n", namespaceOf(organization), "get", kinds, ...component]);
      await expect.poll(left, { timeout: 60_000 }).toBe("");
    }
    const onDemand = ["deploy-cc", "served", ...channel, "--runtime", "on-demand"];
    const refused = await run(onDemand);
    expect(refused.stderr).toMatch(/init --chaincode-idle/);
    expect(refused.code).toBe(3);
    const { mostDown, failed } = await whileAssetIsCalled(() => output(["init", "--chaincode-idle", "5s"]));
    expect([mostDown, failed]).toEqual([1, []]);
    await output(onDemand);
    await readable("s1", "served");
  });

  story("a peer is ejected by mistake, and a node's image is a typo", { timeout: 2 * long }, async () => {
    const org1 = namespaceOf("org1");
    const typo = await run(["init", "--fabric-version", "9.9"]);
    expect(typo.stderr).toMatch(/hint: nothing was changed/);
    expect(typo.code).toBe(3);
    const asked = await run(["eject", "statefulset/peer1", "-n", org1]);
    expect(asked.stderr).toMatch(new RegExp(`is a peer of network ${network}`));
    expect(asked.code).toBe(2);
    await output(["eject", "statefulset/peer1", "-n", org1, "--yes"]);
    const doctor = await run(["doctor"]);
    expect(doctor.stdout).toMatch(/peer1/);
    await output(["init"]);
    expect(await json(["status"])).toMatchObject({ ready: true });
    await readable("a1");
  });

  story(
    "an organization that comes later is kept from a channel that it is no member of",
    { timeout: long },
    async () => {
      await output(["init", "--peer-orgs", `org1,org2,${network}-late`]);
      const joined = await run(["join", "mychannel"]);
      expect(joined.stderr).toMatch(/expected members of mychannel \(Org1MSP, Org2MSP\), found hour-\S+-late/);
      expect(joined.stderr).toMatch(/hint: kubectl fabric --network \S+ join mychannel --orgs org1,org2/);
      expect(joined.code).toBe(1);
      expect(await json(["join", "mychannel", "--orgs", "org1,org2"])).toMatchObject({ changed: 0 });
      await output(["join", "third"]);
    },
  );

  story("what all that left is cleaned up", { timeout: 2 * long }, async () => {
    // 3 says that a second run may be needed.
    const { code } = await run(["cleanup", "--yes"]);
    if (code !== 0) await output(["cleanup", "--yes"]);
    expect(await json<{ orphans: readonly object[] }>(["cleanup"])).toMatchObject({ orphans: [] });
    for (const id of ["a1", "after-stopped"]) await readable(id);
  });

  story(
    "all nodes get the newest Fabric that is there, and no transaction fails",
    { timeout: 2 * long, skip: tag === newest.tag },
    async () => {
      const upgrade = ["init", "--fabric-version", newest.tag];
      const { mostDown, failed, transactions } = await whileAssetIsCalled(() => output(upgrade));
      expect([mostDown, failed]).toEqual([1, []]);
      expect(transactions).toBeGreaterThan(1);
      const images = (await podsOf(kubectl, network)).flatMap(
        ({ spec }) => spec?.containers.map((one) => one.image) ?? [],
      );
      const ofNodes = images.filter((image) => /fabric-(peer|orderer):/.test(image ?? ""));
      expect(ofNodes).toHaveLength(8);
      expect([...new Set(ofNodes.map((image) => image?.replace(/.*:/, "")))]).toEqual([newest.tag]);
      expect(await json(["status"])).toMatchObject({ ready: true, upToDate: true, fabricVersion: newest.tag });
      await readable("a1");
    },
  );

  story("down leaves nothing", { timeout: long }, async () => {
    await output(["down", "--yes"]);
    expect(await podsOf(kubectl, network)).toEqual([]);
    expect(await json(["down", "--yes"])).toMatchObject({ changed: 0 });
    const left = await kubectl(["get", "namespaces", "-o", "name"]);
    expect(left).not.toContain(network);
  });
});
