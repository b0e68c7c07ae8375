import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generate } from "selfsigned";
import { cluster } from "./cluster.ts";
import { exists } from "./freshness.ts";

export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

interface Identity {
  readonly commonName: string;
  readonly organization?: string;
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
}

/** Who has a certificate in the cluster. The file is named by the key. */
function identities(address: string): Readonly<Record<string, Identity>> {
  return {
    apiserver: {
      commonName: "kube-apiserver",
      names: [
        "localhost",
        ...["", ".default", ".default.svc", `.default.svc.${cluster.domain}`].map((suffix) => `kubernetes${suffix}`),
      ],
      addresses: ["127.0.0.1", address, cluster.apiService],
    },
    "apiserver-kubelet": { commonName: "kube-apiserver-kubelet-client", organization: "system:masters" },
    "kubelet-server": { commonName: cluster.node, names: [cluster.node], addresses: [address] },
    admin: { commonName: "admin", organization: "system:masters" },
    "controller-manager": { commonName: "system:kube-controller-manager" },
    scheduler: { commonName: "system:kube-scheduler" },
    "kube-proxy": { commonName: "system:kube-proxy" },
    kubelet: { commonName: `system:node:${cluster.node}`, organization: "system:nodes" },
  };
}

/**
 * Makes the cluster's keys and certificates, all or none: the directory appears when it is complete.
 * Valid for a year: a sandbox is younger than that.
 */
export async function issueCertificates(directory: string, address: string): Promise<void> {
  if (await exists(directory)) return;
  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  const authority = await issueAuthority();
  await store(unfinished, "ca", authority);
  await writeFile(join(unfinished, "sa.key"), newKey(), { mode: 0o600 });
  await Promise.all(
    Object.entries(identities(address)).map(async ([name, identity]) =>
      store(unfinished, name, await issue(identity, authority)),
    ),
  );
  await writeFile(join(unfinished, "address"), address);
  await rename(unfinished, directory);
}

export async function readKeyPair(directory: string, name: string): Promise<KeyPair> {
  const [key, certificate] = await Promise.all(
    ["key", "crt"].map((extension) => readFile(join(directory, `${name}.${extension}`), "utf8")),
  );
  return { key: key ?? "", certificate: certificate ?? "" };
}

/** The address that the certificates were issued for. */
export async function addressOfCertificates(directory: string): Promise<string | undefined> {
  return readFile(join(directory, "address"), "utf8").catch(() => undefined);
}

async function store(directory: string, name: string, { key, certificate }: KeyPair): Promise<void> {
  await writeFile(join(directory, `${name}.key`), key, { mode: 0o600 });
  await writeFile(join(directory, `${name}.crt`), certificate);
}

// selfsigned signs with SHA-1 unless told otherwise.
const elliptic = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

async function issueAuthority(): Promise<KeyPair> {
  const made = await generate([{ name: "commonName", value: "sandbox-ca" }], {
    ...elliptic,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
  return { key: made.private, certificate: made.cert };
}

async function issue(identity: Identity, authority: KeyPair): Promise<KeyPair> {
  const { commonName, organization, names = [], addresses = [] } = identity;
  const subject = [
    ...(organization === undefined ? [] : [{ name: "organizationName", value: organization }]),
    { name: "commonName", value: commonName },
  ];
  const altNames = [
    ...names.map((value) => ({ type: 2 as const, value })),
    ...addresses.map((ip) => ({ type: 7 as const, ip })),
  ];
  const made = await generate(subject, {
    ...elliptic,
    ca: { key: authority.key, cert: authority.certificate },
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      ...(altNames.length === 0 ? [] : [{ name: "subjectAltName" as const, altNames }]),
    ],
  });
  return { key: made.private, certificate: made.cert };
}

/** Signs service account tokens (ES256). In this form, Kubernetes reads the public key from it, too. */
function newKey(): string {
  return generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
}
