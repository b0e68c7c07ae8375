import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploymentFor } from "../../../../../core/chaincode/rollout/resolve.ts";
import type { DeployRequest } from "../../../../../core/chaincode/deployment/deploy-request.ts";
import { collectionsBytes } from "../../../../../core/fabric/chaincode/collections.ts";
import { parseEndorsementPolicy } from "../../../../../core/fabric/policy/endorsement-policy.ts";
import { FabricError } from "../../../../../core/error.ts";
import type { Remedy } from "../../../../../core/remedy.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";
import type { ApprovedDefinition } from "../../../../../core/fabric/chaincode/lifecycle.ts";
import { hostOf } from "../../../../../core/network/resources/nodes.ts";
import { assetDefinition, scriptedPeers, withRightsIn, type LifecycleScript } from "../scripted-peers.ts";
import { typedAs, typedHint } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const request = { name: "asset", channel: "mychannel" };

const committed = { ...assetDefinition, version: "3", sequence: 3 };

describe("going back", () => {
  test.each([
    ["a sequence that never was", committed, 9, "expected a sequence from 1 to 3, found 9"],
    ["another than the only one", { ...committed, sequence: 1 }, 2, "expected sequence 1, the only one, found 2"],
    [
      "a sequence of what was never committed",
      undefined,
      1,
      "expected asset to be committed on mychannel before it can go back, found no definition of it",
    ],
  ])("to %s is refused, and nobody is asked for it", async (_, present, rollbackTo, message) => {
    const lost = new Error("the connection was closed");
    const { network, asked } = scriptedPeers({
      ...(present && { committed: present }),
      // Whatever had been begun would fail with nobody listening.
      fails: (_host, question) => (question === "QueryApprovedChaincodeDefinition" ? lost : undefined),
    });
    await expect(deploymentFor(network, { ...request, rollbackTo }, signal)).rejects.toMatchObject({
      code: "usage",
      message,
    });
    expect(asked.toSorted()).toEqual([
      "peer0.org1 GetConfigBlock",
      "peer0.org1 QueryChaincodeDefinition",
      "peer0.org2 QueryChaincodeDefinition",
    ]);
  });
});

test("rights in one organization only: the other one is told how to be left out", async () => {
  const { network } = scriptedPeers({ committed });
  await expect(deploymentFor(withRightsIn(network, "org1"), request, signal)).rejects.toMatchObject({
    code: "forbidden",
    message: "no right",
    hint: typedAs("you have the rights for org1 alone: --orgs org1"),
  });
  // Nothing that they could choose.
  await expect(deploymentFor(withRightsIn(network, "nobody"), request, signal)).rejects.toMatchObject({
    hint: "kubectl auth can-i list pods",
  });
});

test("a channel that the peer has not joined is refused, with those that it has", async () => {
  const { network } = scriptedPeers({
    fails: (_host, question) => (question === "GetConfigBlock" ? new Error("access denied") : undefined),
    channels: ["mychannel", "second"],
  });
  await expect(deploymentFor(network, { ...request, channel: "nochan" }, signal)).rejects.toMatchObject({
    code: "usage",
    message: "expected a channel that peer0.org1 has joined (mychannel, second), found nochan",
    hint: typedAs("--channel mychannel, or first: kubectl fabric join nochan"),
  });
  await expect(deploymentFor(network, request, signal)).rejects.toThrow("access denied");
});

describe("an organization none of whose peers runs", () => {
  const approved = { org1: [{ ...committed, packageId: "asset:1" }], org2: [{ ...committed, packageId: "asset:1" }] };
  const { network } = scriptedPeers({ committed, approved, away: ["org2"], readiness: () => ({}) });

  test("cannot approve, which is said with both ways on", async () => {
    await expect(deploymentFor(network, request, signal)).rejects.toMatchObject({
      code: "not-ready",
      message: "org2 cannot approve while none of its peers runs: expected a running Pod of peer0.org2, found none",
      hint: typedAs("kubectl fabric init\n      or for the others: the same command with --orgs org1"),
    });
  });

  test("does not stop another one that goes on alone", async () => {
    const policy = "AND('Org1MSP.peer', 'Org2MSP.peer')";
    const deployment = await deploymentFor(network, { ...request, policy, organizations: ["org1"] }, signal);
    expect(deployment.definition).toMatchObject({ sequence: 4 });
  });
});

describe("an organization alone", () => {
  const own = { ...request, packageId: "asset:2", organizations: ["org2"] };
  const proposed: ApprovedDefinition = { ...committed, version: "1", sequence: 1, packageId: "asset:1" };
  const appraisals = collectionsBytes([{ name: "appraisals", policy: "OR('Org1MSP.member')" }]);
  const anybody = parseEndorsementPolicy("OR('Org1MSP.peer', 'Org2MSP.peer')").serializeBinary();
  const forbidden = { org1: new FabricError("forbidden", "you may not read its Secrets") };
  /** What Fabric 3 tells of an organization whose approval is another. */
  const told =
    (...parts: readonly string[]) =>
    () => ({ Org1MSP: parts, Org2MSP: ["ChaincodeParameters"] });
  const theirs = (terms: Partial<ApprovedDefinition>) => ({ approved: { org1: [{ ...proposed, ...terms }] } });
  const first =
    "first the administrator of org1 types: kubectl fabric deploy-cc asset -C mychannel --package-id asset:2";

  test.each<[string, LifecycleScript, string, string]>([
    [
      "collections",
      { ...theirs({ collections: appraisals }), readiness: told("Collections") },
      "collections appraisals instead of none",
      "with its terms: kubectl fabric deploy-cc asset -C mychannel --package-id asset:2 --collections FILE --org org2",
    ],
    [
      "a policy",
      { ...theirs({ endorsementPolicy: anybody }), readiness: told("ValidationInfo") },
      "policy OR('Org1MSP.peer', 'Org2MSP.peer') instead of /Channel/Application/Endorsement",
      `--policy "OR('Org1MSP.peer', 'Org2MSP.peer')" --org org2`,
    ],
    [
      "Init and a version",
      { ...theirs({ initRequired: true, version: "1.0" }), readiness: told("EndorsementInfo") },
      "version 1.0 instead of 1, init required instead of not required",
      "--chaincode-version 1.0 --init --org org2",
    ],
    [
      "what only Fabric may tell us",
      { forbidden, readiness: told("EndorsementInfo", "Collections") },
      "another version or init, other collections",
      "the same command with what org1 has said (--chaincode-version, --init or --no-init, --collections)",
    ],
    [
      "what Fabric 2.5 does not tell, but their peer",
      { ...theirs({ collections: appraisals }), readiness: told() },
      "collections appraisals instead of none",
      "--collections FILE --org org2",
    ],
  ])(
    "learns before it approves anything that another has approved %s, and both ways to go on",
    async (_, script, differs, hint) => {
      const { network } = scriptedPeers(script);
      const failure: unknown = await deploymentFor(network, own, signal).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "conflict",
        message: `expected one definition of asset at sequence 1 on mychannel, found two: org1 has approved ${differs}`,
      });
      expect(typedHint(failure)).toContain(hint);
      expect(typedHint(failure)).toContain(`\n      or ${first} --org org1`);
    },
  );

  test("is told of it, and goes on, where it says itself what differs", async () => {
    const { network } = scriptedPeers({ ...theirs({ endorsementPolicy: anybody }), readiness: told("ValidationInfo") });
    const notices: Remedy[] = [];
    const policy = "AND('Org1MSP.peer', 'Org2MSP.peer')";
    await deploymentFor(network, { ...own, policy, notice: (text) => notices.push(text) }, signal);
    expect(notices).toEqual([
      `of asset at sequence 1 on mychannel org1 has approved policy OR('Org1MSP.peer', 'Org2MSP.peer') instead of ${policy}`,
    ]);
  });

  test.each<[string, LifecycleScript]>([
    ["has approved nothing", { readiness: told("ChaincodeParameters") }],
    ["has approved the same", { ...theirs({}), readiness: () => ({ Org1MSP: "approved", Org2MSP: [] }) }],
    ["cannot be asked, and Fabric 2.5 does not tell", { forbidden, readiness: told() }],
  ])("goes on when the other %s", async (_, script) => {
    const { network } = scriptedPeers(script);
    expect((await deploymentFor(network, own, signal)).definition).toMatchObject({ sequence: 1 });
  });

  test("is not asked to agree with itself: what it approved before it may change", async () => {
    const { network } = scriptedPeers({
      ...theirs({ collections: appraisals }),
      readiness: () => ({ Org1MSP: ["Collections"], Org2MSP: ["ChaincodeParameters"] }),
    });
    const both = { ...own, organizations: ["org1", "org2"] };
    expect((await deploymentFor(network, both, signal)).definition.collections).toHaveLength(0);
  });
});

describe("a next sequence that another organization has approved", () => {
  const approved = { ...committed, packageId: "asset:3" };
  const own = { ...request, packageId: "asset:3", organizations: ["org2"] };
  const pending = (mspId: string) => (sequence: number) => ({
    Org1MSP: [],
    Org2MSP: [],
    ...(sequence === 4 && { [mspId]: "approved" as const }),
  });

  test.each([
    ["has nothing else to do", {}],
    ["wants other terms, as that other does, for the package that it has", { policy: "OR('Org1MSP.peer')" }],
  ])("is approved by one that %s", async (_, terms) => {
    const { network } = scriptedPeers({ committed, approved: { org2: [approved] }, readiness: pending("Org1MSP") });
    const notices: Remedy[] = [];
    const told = { ...own, ...terms, notice: (text: Remedy) => notices.push(text) };
    const { definition, targets } = await deploymentFor(network, told, signal);
    expect(definition).toMatchObject({ version: "4", sequence: 4 });
    expect(targets.map(({ pkg }) => pkg.id)).toEqual(["asset:3"]);
    expect(notices).toEqual(["org1 has approved asset 4, sequence 4 under the same terms: org2 approves it, too"]);
  });

  test.each([
    ["one that nobody has approved", own, "nobody"],
    ["its own", own, "Org2MSP"],
    ["that of an organization which the command is about, too", { ...own, organizations: undefined }, "Org1MSP"],
    ["agreed to by who names nothing to run", { ...own, packageId: undefined }, "Org1MSP"],
  ])("is not %s", async (_, asked, mspId) => {
    const { network } = scriptedPeers({
      committed,
      approved: { org1: [approved], org2: [approved] },
      readiness: pending(mspId),
    });
    expect((await deploymentFor(network, asked, signal)).definition).toEqual(committed);
  });
});

describe("a package that peers have", () => {
  const own = { ...request, packageId: "asset:2" };

  test("is refused where none of them has it, with those that there are", async () => {
    const { network } = scriptedPeers({ committed, installed: ["asset:1", "token:1"] });
    await expect(deploymentFor(network, own, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected a package that a peer has installed (asset:1, token:1), found asset:2",
      hint: typedAs("name its source with --path"),
    });
  });

  test.each<[string, LifecycleScript]>([
    ["one has it", { installed: ["asset:2"] }],
    [
      "not all can be asked",
      { fails: (host) => (host === "peer0.org2" ? new FabricError("connection", "") : undefined) },
    ],
  ])("is taken where %s", async (_, script) => {
    const { network } = scriptedPeers({ installed: [], committed, ...script });
    const { targets } = await deploymentFor(network, { ...own, organizations: ["org1"] }, signal);
    expect(targets.map(({ pkg }) => pkg.id)).toEqual(["asset:2"]);
  });
});

describe("arguments of Init", () => {
  const initArguments = ["InitLedger"];
  const approved = { org1: [{ ...committed, packageId: "asset:3" }], org2: [{ ...committed, packageId: "asset:3" }] };

  test("are refused where nothing asks for Init", async () => {
    const { network } = scriptedPeers({ committed, approved });
    await expect(deploymentFor(network, { ...request, initArguments }, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected --init with --init-args: asset 3, sequence 3 asks for no call of Init",
      hint: typedAs(
        "--init makes it ask for one; a function that is no Init: kubectl fabric invoke asset FUNCTION -C mychannel",
      ),
    });
  });

  test.each([
    ["the request", committed, true],
    ["what is kept of the definition", { ...committed, initRequired: true }, undefined],
  ])("are taken where %s asks for it", async (_, present, initRequired) => {
    const { network } = scriptedPeers({ committed: present, approved });
    const { definition } = await deploymentFor(network, { ...request, initArguments, initRequired }, signal);
    expect(definition.initRequired).toBe(true);
  });
});

test.each<[string, Partial<DeployRequest>, string]>([
  ["--offline", { offline: true, packageId: "asset:3" }, "expected --offline together with --path only"],
  ["--label", { label: "other", packageId: "asset:3" }, "expected --label together with --path or --image only"],
])("%s is refused where it says nothing", async (_, said, message) => {
  const { network, asked } = scriptedPeers({ committed });
  const failure = deploymentFor(network, { ...request, ...said }, signal);
  await expect(failure).rejects.toMatchObject({ code: "usage", message: expect.stringContaining(message) as string });
  expect(asked).toEqual([]);
});

describe("packages of organizations", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "deploy-"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "asset", scripts: { start: "node a.js" } }));
    await writeFile(join(folder, "a.js"), "");
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function noticesWith(packageId: string, script: LifecycleScript = {}, asked: Partial<DeployRequest> = {}) {
    const other = { ...committed, packageId };
    const { network } = scriptedPeers({ committed, approved: { org1: [other] }, ...script });
    const notices: Remedy[] = [];
    const notice = (text: Remedy) => notices.push(text);
    const { targets } = await deploymentFor(
      network,
      { ...request, path: folder, organizations: ["org2"], ...asked, notice },
      signal,
    );
    return {
      notices: notices.map((notice) => typed(notice)).filter((text) => text.includes("packages")),
      id: targets[0]?.pkg.id ?? "",
    };
  }

  test("are told of where they differ", async () => {
    const { notices, id } = await noticesWith("asset:0123456789abcdef");
    expect(notices).toEqual([
      `the organizations run different packages of asset: org1 asset:0123456789ab, org2 ${id.slice(0, 18)}; ` +
        "the same source gives the same package",
    ]);
  });

  test("are not told of where they are the same, or nobody may look", async () => {
    const { id } = await noticesWith("asset:1");
    expect(await noticesWith(id)).toMatchObject({ notices: [] });
    const forbidden = { org1: new FabricError("forbidden", "you may not read its Secrets") };
    expect(await noticesWith("asset:1", { forbidden })).toMatchObject({ notices: [] });
  });
});

describe("what is committed", () => {
  const approvals = [2, 3].map((sequence) => {
    return { ...committed, version: String(sequence), sequence, packageId: `asset:${sequence}` };
  });
  const script = { committed, peers: 2, approved: { org1: approvals, org2: approvals } };

  test("tell the peers that are furthest, and they speak for their organization", async () => {
    const { network } = scriptedPeers({ ...script, lags: (host) => (host === "peer0.org1" ? 2 : undefined) });
    const { definition, targets } = await deploymentFor(network, { ...request, packageId: "asset:3" }, signal);
    expect(definition).toMatchObject({ version: "3", sequence: 3 });
    expect(targets.map(({ gateway }) => hostOf(gateway))).toEqual(["peer1.org1", "peer0.org2"]);
  });

  test("is not what one organization knows, whose peers all lag: they are waited for", async () => {
    let asked = 0;
    const { network } = scriptedPeers({
      ...script,
      lags: (host) => (host.endsWith("org1") && (asked += 1) < 5 ? 2 : undefined),
    });
    const notices: Remedy[] = [];
    const told = { ...request, organizations: ["org1"], notice: (text: Remedy) => notices.push(text) };
    const { definition, targets } = await deploymentFor(network, told, signal);
    expect(definition).toMatchObject({ version: "3", sequence: 3 });
    expect(targets.map(({ pkg }) => pkg.id)).toEqual(["asset:3"]);
    expect(notices).toEqual(["waits for peer0.org1: it knows asset at sequence 2, other peers of mychannel at 3"]);
  });

  test("is waited for no longer than the command may take", async () => {
    const { network } = scriptedPeers({ ...script, lags: (host) => (host.endsWith("org1") ? 2 : undefined) });
    const deadline = new AbortController();
    const give = () => deadline.abort(new FabricError("timeout", "gave up after 1 s"));
    await expect(deploymentFor(network, { ...request, notice: give }, deadline.signal)).rejects.toMatchObject({
      code: "not-ready",
      message: "expected peer0.org1 to know asset at sequence 3, as other peers of mychannel do, found it at 2",
      hint: typedAs(
        "kubectl fabric status shows how far each peer is; type the same command again when it has caught up",
      ),
    });
  });

  test("does not hang on peers that cannot be asked", async () => {
    const lost = new FabricError("connection", "refused");
    const { network } = scriptedPeers({
      ...script,
      forbidden: { org2: new FabricError("forbidden", "you may not read its Secrets") },
      fails: (host) => (host === "peer1.org1" ? lost : undefined),
    });
    const { definition } = await deploymentFor(network, { ...request, organizations: ["org1"] }, signal);
    expect(definition.sequence).toBe(3);
  });
});
