import { Buffer } from "node:buffer";
import { afterEach, describe, expect, test } from "vitest";
import { isIssuedBy } from "../../../../../core/fabric/identity/certificate.ts";
import {
  authoritiesSecret,
  newAuthorities,
  type Authorities,
} from "../../../../../core/network/identity/identities.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { organizations, type FabricNetwork } from "../../../../../core/network/resources/spec.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../../scripted-cluster/stored-objects.ts";
import { clusterWithWebhook, entry, init, linesOf, nameOf, small, today } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
async function fresh(): Promise<ScriptedCluster> {
  const cluster = await clusterWithWebhook();
  opened.push(cluster);
  return cluster;
}
async function initialized(network: FabricNetwork = small): Promise<ScriptedCluster> {
  const cluster = await fresh();
  await init(cluster, network);
  return cluster;
}

const [orderer, org1] = organizations(small);
if (!orderer || !org1) throw new Error("expected two organizations");
const days = (count: number) => new Date(today.getTime() + count * 86_400_000);
const secret = (cluster: ScriptedCluster, name: string) => cluster.read("Secret", name, "org1");
const identityOf = (cluster: ScriptedCluster, name: string) => secret(cluster, `${name}-identity`);

/** A Secret as somebody else has it in the organization's namespace before. */
function withSecret(cluster: ScriptedCluster, authorities: Authorities, without: readonly string[] = []): WireObject {
  const { data = {}, ...object } = authoritiesSecret(small, org1!, authorities) as unknown as WireObject & {
    readonly data?: Readonly<Record<string, string>>;
  };
  const kept = Object.entries(data).filter(([key]) => !without.includes(key));
  return cluster.put({ ...object, data: Object.fromEntries(kept) });
}

/** The namespaces of a network that has nothing else yet. */
async function withNamespaces(): Promise<ScriptedCluster> {
  const cluster = await fresh();
  cluster.interfere(({ kind, writes }) => (kind === "Secret" && writes ? "forbidden" : undefined));
  await expect(init(cluster, small)).rejects.toThrow(/cannot create resource "secrets"/);
  cluster.interfere(undefined);
  return cluster;
}

describe("keys", () => {
  test("each is in one Secret of its own organization's namespace, and nowhere else", async () => {
    const cluster = await initialized(networkFor({ orderers: 1 }));
    const objects = cluster.objects().map((object) => ({ object, text: readable(object) }));
    const keys = objects.flatMap(({ object, text }) =>
      [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+/g)].map(([key]) => ({ key, object })),
    );
    // Two authorities, an administrator and a node an organization, two keys each.
    expect(keys.length).toBe(3 * (2 + 2 + 2));
    for (const { key, object } of keys) {
      expect(object.kind).toBe("Secret");
      expect(object.metadata.labels?.["kubectl-fabric.io/org"]).toBe(object.metadata.namespace);
      expect(objects.filter(({ text }) => text.includes(key)).map((holder) => nameOf(holder.object))).toEqual([
        nameOf(object),
      ]);
    }
  });

  test("what is public of an organization holds certificates only", async () => {
    const cluster = await initialized();
    const msp = cluster.read("ConfigMap", "msp", "org1");
    const authorities = secret(cluster, "certificate-authorities");
    expect(msp["data"]).toEqual({
      "ca.pem": entry(authorities, "ca.pem"),
      "tlsca.pem": entry(authorities, "tlsca.pem"),
    });
  });

  test("every identity is of its organization's own authorities", async () => {
    const cluster = await initialized();
    for (const name of ["admin", "peer0"]) {
      const identity = identityOf(cluster, name);
      const authorities = secret(cluster, "certificate-authorities");
      expect(isIssuedBy(entry(identity, "msp-cert.pem"), entry(authorities, "ca.pem"))).toBe(true);
      expect(isIssuedBy(entry(identity, "tls-cert.pem"), entry(authorities, "tlsca.pem"))).toBe(true);
      const other = cluster.read("Secret", "certificate-authorities", "orderer");
      expect(isIssuedBy(entry(identity, "msp-cert.pem"), entry(other, "ca.pem"))).toBe(false);
    }
  });
});

/** An object with what its Secrets' entries say. */
function readable(object: WireObject): string {
  if (object.kind !== "Secret") return JSON.stringify(object).replaceAll(String.raw`\n`, "\n");
  const texts = Object.values(object["data"] as object).map((value) => Buffer.from(String(value), "base64").toString());
  return [JSON.stringify({ ...object, data: {} }), ...texts].join("\n");
}

describe("what exists is not made anew", () => {
  test("authorities that are there issue the identities, and stay as they are", async () => {
    const cluster = await withNamespaces();
    const authorities = await newAuthorities(org1, today);
    const before = withSecret(cluster, authorities);
    const count = cluster.writes.length;
    await init(cluster, small);
    expect(linesOf(cluster, count)).not.toContain("create Secret org1/certificate-authorities");
    expect(secret(cluster, "certificate-authorities")).toEqual(before);
    expect(isIssuedBy(entry(identityOf(cluster, "peer0"), "msp-cert.pem"), authorities.enrolment.certificate)).toBe(
      true,
    );
    expect(cluster.read("ConfigMap", "msp", "org1")["data"]).toMatchObject({
      "ca.pem": authorities.enrolment.certificate,
    });
  });

  test("of two that make authorities at the same time the second one takes the first one's", async () => {
    const cluster = await fresh();
    const theirs = await newAuthorities(org1, today);
    let before: WireObject | undefined;
    cluster.interfere(({ verb, name, namespace }) => {
      if (verb === "create" && name === "certificate-authorities" && namespace === "org1") {
        before = withSecret(cluster, theirs);
      }
      return undefined;
    });
    await init(cluster, small);
    expect(before).toBeDefined();
    expect(secret(cluster, "certificate-authorities")).toEqual(before);
    for (const name of ["admin", "peer0"]) {
      expect(isIssuedBy(entry(identityOf(cluster, name), "msp-cert.pem"), theirs.enrolment.certificate)).toBe(true);
    }
  });

  test("two at the same time end with one network that both take as theirs", async () => {
    const cluster = await fresh();
    await Promise.all([init(cluster, small), init(cluster, small)]);
    const created = linesOf(cluster).filter((line) => line.startsWith("create "));
    expect(created.length).toBe(6);
    expect(new Set(created).size).toBe(6);
    const count = cluster.writes.length;
    expect(await init(cluster, small)).toMatchObject({ changed: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("of a lost identity only that one is made again, by the same authorities", async () => {
    const cluster = await initialized();
    const authorities = secret(cluster, "certificate-authorities");
    const lost = identityOf(cluster, "peer0");
    cluster.erase("Secret", "peer0-identity", "org1");
    const count = cluster.writes.length;
    await init(cluster, small);
    expect(linesOf(cluster, count)).toEqual(["create Secret org1/peer0-identity"]);
    const made = identityOf(cluster, "peer0");
    expect(entry(made, "msp-key.pem")).not.toBe(entry(lost, "msp-key.pem"));
    expect(isIssuedBy(entry(made, "msp-cert.pem"), entry(authorities, "ca.pem"))).toBe(true);
  });
});

describe("authorities that are lost", () => {
  test.each([
    ["with the identities that they issued", []],
    ["with the public certificates alone", ["admin-identity", "peer0-identity"]],
  ])("%s left are not made anew: nothing is written, no key's removal is advised", async (_, gone) => {
    const cluster = await initialized();
    for (const name of ["certificate-authorities", ...gone]) cluster.erase("Secret", name, "org1");
    const [before, count] = [cluster.objects(), cluster.writes.length];
    // Nor is anything else, of another organization.
    const more = networkFor({ orderers: 2, peerOrganizations: ["org1"], peers: 2 });
    const failure = await init(cluster, more).catch((error: unknown) => error as { readonly hint: string });
    expect(failure).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(
        /^expected Secret org1\/certificate-authorities, which issued .*ConfigMap org1\/msp, found none$/,
      ),
      hint: expect.stringContaining("restore it from the backup"),
    });
    expect((failure as { readonly hint: string }).hint).not.toContain("delete");
    expect(linesOf(cluster, count)).toEqual([]);
    expect(cluster.objects()).toEqual(before);
  });

  test("are missed also by who may not list Secrets", async () => {
    const cluster = await initialized();
    cluster.erase("Secret", "certificate-authorities", "org1");
    cluster.erase("ConfigMap", "msp", "org1");
    cluster.interfere(({ kind, verb }) => (kind === "Secret" && verb === "list" ? "forbidden" : undefined));
    const count = cluster.writes.length;
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message:
        "expected Secret org1/certificate-authorities, which issued Secret org1/admin-identity, Secret org1/peer0-identity, found none",
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("are missed by identities that a backup brought back without their labels", async () => {
    const cluster = await initialized();
    for (const name of ["admin-identity", "peer0-identity"]) {
      const { metadata, ...rest } = secret(cluster, name);
      cluster.put({ ...rest, metadata: { ...metadata, labels: {} } });
    }
    cluster.erase("Secret", "certificate-authorities", "org1");
    cluster.erase("ConfigMap", "msp", "org1");
    const count = cluster.writes.length;
    await expect(init(cluster, small)).rejects.toMatchObject({
      message: expect.stringContaining("which issued Secret org1/admin-identity, Secret org1/peer0-identity"),
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("restored from what they were, all goes on", async () => {
    const cluster = await initialized();
    const backup = secret(cluster, "certificate-authorities");
    cluster.erase("Secret", "certificate-authorities", "org1");
    await expect(init(cluster, small)).rejects.toMatchObject({ code: "conflict" });
    cluster.put(backup);
    expect(await init(cluster, small)).toMatchObject({ changed: 0 });
  });

  test("nobody can change them: the Secret is immutable", async () => {
    const cluster = await initialized();
    expect(secret(cluster, "certificate-authorities")).toMatchObject({ immutable: true });
    expect(identityOf(cluster, "peer0")).not.toHaveProperty("immutable");
  });
});

describe("a Secret that cannot be used", () => {
  test.each([["ca-key.pem"], ["tlsca.pem"]])(
    "authorities without %s: nothing of the organization is issued, its Secret stays, the other goes on",
    async (key) => {
      const cluster = await withNamespaces();
      const before = withSecret(cluster, await newAuthorities(org1, today), [key]);
      const count = cluster.writes.length;
      await expect(init(cluster, small)).rejects.toMatchObject({
        code: "invalid",
        message: "expected the keys of two certificate authorities in Secret org1/certificate-authorities",
        hint: expect.stringContaining("restore the Secret from the backup"),
      });
      const lines = linesOf(cluster, count);
      expect(lines.filter((line) => line.includes("org1"))).toEqual([]);
      expect(lines).toContain("apply StatefulSet orderer/orderer0");
      expect(secret(cluster, "certificate-authorities")).toEqual(before);
    },
  );

  test("an identity that lacks a key is named with it, and not overwritten; deleted it is made anew", async () => {
    const cluster = await initialized();
    cluster.put({ ...stub("peer0-identity"), data: { "msp-key.pem": null, "tls-key.pem": null } });
    const [before, count] = [cluster.objects(), cluster.writes.length];
    const failure = await init(cluster, small).catch((error: unknown) => error as { readonly hint: string });
    expect(failure).toMatchObject({
      code: "conflict",
      message: "Secret org1/peer0-identity cannot be used as it is: it lacks msp-key.pem, tls-key.pem",
      hint: expect.stringContaining("restore it from the backup"),
    });
    expect(linesOf(cluster, count)).toEqual([]);
    expect(cluster.objects()).toEqual(before);
    cluster.erase("Secret", "peer0-identity", "org1");
    await init(cluster, small);
    expect(linesOf(cluster, count)).toEqual(["create Secret org1/peer0-identity"]);
  });

  test("an identity of other authorities than those that are there now", async () => {
    const cluster = await initialized();
    cluster.erase("Secret", "certificate-authorities", "org1");
    withSecret(cluster, await newAuthorities(org1, today));
    const before = identityOf(cluster, "peer0");
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "steps-failed",
      message: expect.stringContaining(
        "org1/peer0-identity cannot be used as it is: it was issued by another authority",
      ),
    });
    expect(identityOf(cluster, "peer0")).toEqual(before);
  });

  test("an identity that has expired is told, by the clock of the run", async () => {
    const cluster = await initialized();
    const count = cluster.writes.length;
    await init(cluster, small, { now: days(300) });
    await expect(init(cluster, small, { now: days(366) })).rejects.toMatchObject({
      message: expect.stringContaining("Secret org1/peer0-identity cannot be used as it is: it has expired"),
      // A backup would hold the same. Of two organizations' peer0 neither's copy overwrites the other's.
      hint: typedAs(
        expect.stringMatching(/-n (\S+) get secret (\S+) -o yaml > \1-\2\.yaml keeps it; .*issues it anew/),
      ),
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("public certificates of other authorities are not overwritten", async () => {
    const cluster = await initialized();
    const theirs = await newAuthorities(org1, today);
    const data = { "ca.pem": theirs.enrolment.certificate, "tlsca.pem": theirs.tls.certificate };
    const metadata = { name: "msp", namespace: "org1" };
    const before = cluster.put({ apiVersion: "v1", kind: "ConfigMap", metadata, data });
    const count = cluster.writes.length;
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/^ConfigMap org1\/msp has other certificates than Secret certificate-authorities/),
      // Who issued the organization's identities is who it is.
      hint: typedAs(expect.stringContaining("kubectl -n org1 delete configmap msp")),
    });
    expect(linesOf(cluster, count)).toEqual([]);
    expect(cluster.read("ConfigMap", "msp", "org1")).toEqual(before);
  });

  test("an administrator's Secret in the place of a peer's", async () => {
    const cluster = await initialized();
    const admin = identityOf(cluster, "admin");
    cluster.put({ ...stub("peer0-identity"), data: admin["data"] });
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message: "Secret org1/peer0-identity cannot be used as it is: it is no peer",
    });
  });
});

const stub = (name: string): WireObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "org1" },
});
