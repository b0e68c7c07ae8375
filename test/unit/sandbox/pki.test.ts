import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addressOfCertificates, issueCertificates, readKeyPair } from "../../sandbox/pki.ts";

let parent: string;
let pki: string;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "pki-"));
  pki = join(parent, "pki");
  await issueCertificates(pki, "192.0.2.2");
});
afterAll(() => rm(parent, { recursive: true }));

const certificate = async (name: string) => new X509Certificate((await readKeyPair(pki, name)).certificate);

test("every certificate is signed by the authority and fits its key", async () => {
  const authority = await certificate("ca");
  expect(authority.ca).toBe(true);
  for (const name of ["apiserver", "kubelet-server", "admin", "kubelet", "scheduler"]) {
    const issued = await certificate(name);
    expect([name, issued.checkIssued(authority), issued.verify(authority.publicKey)]).toEqual([name, true, true]);
    expect(issued.checkPrivateKey(createPrivateKey((await readKeyPair(pki, name)).key))).toBe(true);
  }
});

test("the API server is itself under each of its names and addresses", async () => {
  const server = await certificate("apiserver");
  for (const name of ["localhost", "kubernetes.default.svc"]) expect(server.checkHost(name)).toBe(name);
  for (const address of ["127.0.0.1", "192.0.2.2", "10.96.0.1"]) expect(server.checkIP(address)).toBe(address);
});

test("the administrator and the node are in the groups that Kubernetes knows", async () => {
  expect((await certificate("admin")).subject.split("\n").sort()).toEqual(["CN=admin", "O=system:masters"]);
  expect((await certificate("kubelet")).subject.split("\n").sort()).toEqual([
    "CN=system:node:sandbox",
    "O=system:nodes",
  ]);
});

test("keys are for their owner only", async () => {
  expect((await stat(join(pki, "ca.key"))).mode & 0o077).toBe(0);
  expect((await stat(join(pki, "sa.key"))).mode & 0o077).toBe(0);
});

test("what is there is kept, with the address that it is for", async () => {
  const before = await readFile(join(pki, "ca.crt"), "utf8");
  await issueCertificates(pki, "198.51.100.7");
  expect(await readFile(join(pki, "ca.crt"), "utf8")).toBe(before);
  expect(await addressOfCertificates(pki)).toBe("192.0.2.2");
  expect(await addressOfCertificates(join(parent, "none"))).toBeUndefined();
});
