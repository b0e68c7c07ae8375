import { createPrivateKey } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mspConfigMapName } from "../../../../../core/network/identity/identities.ts";
import type { ApiRequest, Cluster } from "../../../../../core/kubernetes/cluster.ts";
import { openNetwork, type OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { peerNodes, ports, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { clusterWithWebhook, entry, init, small } from "../network-cluster.ts";

const { signal } = new AbortController();
const [peer0] = peerNodes(small) as [FabricNode];
const running = {
  items: [
    { metadata: { name: "peer0-0" }, status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
  ],
};

/** Servers that listen in this process. */
const listening = () => process.getActiveResourcesInfo().filter((resource) => resource === "TCPServerWrap").length;

test("what is opened only after all was closed does not stay open", async () => {
  const pods = Promise.withResolvers<unknown>();
  const call = async ({ path }: ApiRequest): Promise<unknown> =>
    path.endsWith(`/configmaps/${mspConfigMapName}`)
      ? { metadata: { name: mspConfigMapName }, data: { "ca.pem": "CA", "tlsca.pem": "TLS CA" } }
      : pods.promise;
  const network = openNetwork({ call } as unknown as Cluster, small);
  const before = listening();
  const connecting = network.connection(peer0, signal);
  const failure = connecting.catch((error: unknown) => error);
  await network.close();
  pods.resolve(running);
  expect(await failure).toMatchObject({ code: "interrupted", message: "the network was closed" });
  expect(listening()).toBe(before);
});

describe("of a network that is open for long", () => {
  const { organization } = peer0;
  const secret = "get Secret org1/admin-identity";
  const configMap = `get ConfigMap org1/${mspConfigMapName}`;
  const minute = 60_000;
  let cluster: ScriptedCluster;
  let network: OpenNetwork;
  let now: number;
  let before: number;

  beforeEach(async () => {
    cluster = await clusterWithWebhook();
    await init(cluster, small);
    now = 0;
    before = cluster.requests.length;
    network = openNetwork(cluster.connect(), small, { now: () => now });
  });
  afterEach(async () => {
    await network.close();
    await cluster.close();
  });

  const asked = (what: string) => cluster.requests.slice(before).filter((request) => request === what).length;

  /** The peer's organization has from now on what the orderer's has: other keys, as after a renewal. */
  function renew(kind: "Secret" | "ConfigMap", name: string): void {
    const { data } = cluster.read(kind, name, "orderer");
    cluster.put({ ...cluster.read(kind, name, "org1"), data });
  }

  test("an administrator is read once in a minute, and then as it is by now", async () => {
    const administrators = await Promise.all([1, 2].map(() => network.administrator(organization, signal)));
    renew("Secret", "admin-identity");
    now = minute - 1;
    administrators.push(await network.administrator(organization, signal));
    expect(new Set(administrators).size).toBe(1);
    expect(asked(secret)).toBe(1);
    now = minute;
    const { identity, tls } = await network.administrator(organization, signal);
    expect(tls.certificate).toBe(entry(cluster.read("Secret", "admin-identity", "orderer"), "tls-cert.pem"));
    expect(identity.creator).not.toEqual(administrators[0]?.identity.creator);
    expect(asked(secret)).toBe(2);
  });

  test("an administrator's Secret may hold what people put there; a key that is encrypted is told with its Secret", async () => {
    const { creator } = (await network.administrator(organization, signal)).identity;
    const object = cluster.read("Secret", "admin-identity", "org1");
    const key = createPrivateKey(entry(object, "msp-key.pem"));
    const put = (privateKey: string) => {
      const certificate = `Certificate:\r\n${entry(object, "msp-cert.pem")}${entry(object, "msp-ca.pem")}`;
      const base64 = (text: string) => Buffer.from(text).toString("base64");
      const data = { "msp-cert.pem": base64(certificate), "msp-key.pem": base64(privateKey) };
      cluster.put({ ...object, data: { ...(object.data as object), ...data } });
      now += minute;
      return network.administrator(organization, signal);
    };
    const { identity } = await put(`\ufeff${key.export({ type: "sec1", format: "pem" })}`);
    expect(identity.creator).toEqual(creator);
    const encrypted = key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" });
    await expect(put(encrypted)).rejects.toMatchObject({
      code: "invalid",
      message: "Secret org1/admin-identity: expected a private key in PEM, found an encrypted one",
    });
  });

  test("who loses the right to an administrator's Secret is refused a minute later, and served again at once", async () => {
    await network.administrator(organization, signal);
    cluster.interfere(({ kind }) => (kind === "Secret" ? "forbidden" : undefined));
    now = minute;
    await expect(network.administrator(organization, signal)).rejects.toMatchObject({ code: "forbidden" });
    cluster.interfere(undefined);
    expect(await network.administrator(organization, signal)).toMatchObject({ identity: { mspId: "Org1MSP" } });
  });

  test("a connection stays as long as the authority of its node's TLS is the same", async () => {
    const connection = await network.connection(peer0, signal);
    now = 60 * minute;
    const both = await Promise.all([network.connection(peer0, signal), network.connection(peer0, signal)]);
    expect(both.map((one) => one === connection)).toEqual([true, true]);
    expect(asked(configMap)).toBe(2);
  });

  test("who asks after another authority was made has a connection that trusts it, over the same port", async () => {
    const [{ port }, connection] = await Promise.all([
      network.endpoint(peer0, ports.peer, signal),
      network.connection(peer0, signal),
    ]);
    renew("ConfigMap", mspConfigMapName);
    const other = entry(cluster.read("ConfigMap", mspConfigMapName, "orderer"), "tlsca.pem");
    expect(connection.endpoint.tlsRootCertificates).not.toBe(other);
    now = minute;
    const { endpoint } = await network.connection(peer0, signal);
    expect(endpoint).toMatchObject({ port, tlsRootCertificates: other });
    expect(await network.certificates(organization, signal)).toMatchObject({ tlsRoot: other });
  });

  test("that a Pod has gone is noticed after five minutes, and that it is back at once", async () => {
    const connection = await network.connection(peer0, signal);
    const pod = cluster.read("Pod", "peer0-0", "org1");
    cluster.erase("Pod", "peer0-0", "org1");
    // Under a command it shows as a lost connection.
    now = 5 * minute - 1;
    expect(await network.connection(peer0, signal)).toBe(connection);
    now = 5 * minute;
    await expect(network.connection(peer0, signal)).rejects.toMatchObject({ code: "not-ready" });
    cluster.put(pod);
    expect(await network.connection(peer0, signal)).toBe(connection);
  });
});
