// Certificates that somebody else puts into a directory, as cert-manager's Secret is mounted.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KeyPair } from "../../../webhook/certificates/certificate.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";
import { newMountedCertificates } from "../../../webhook/certificates/mounted.ts";
import { newLog } from "../../../core/process/log.ts";

const webhookHosts = ["webhook.system.svc"];
const dayMs = 86_400_000;

let directory: string;
let trusted: readonly string[];
let served: string[];
let ends: number[];
let running: AbortController;
let ended: Promise<void>;
let missing: () => readonly string[];
/** Looks that have read the files so far. */
let looks: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-mounted-"));
  trusted = [];
  served = [];
  ends = [];
  looks = 0;
  running = new AbortController();
  const certificates = newMountedCertificates({
    directory,
    store: {
      readTrusted: async () => {
        looks++;
        return { value: [trusted], resourceVersion: "1" };
      },
    },
    hosts: webhookHosts,
    now: () => new Date(),
    serve: async (leaf) => void served.push(leaf.cert),
    renewed: ({ leafEnds }) => ends.push(leafEnds.getTime()),
    log: newLog(
      () => {},
      () => new Date(),
    ),
    checkMs: 5,
  });
  missing = () => certificates.missing(new Date());
  ended = certificates.run(running.signal);
});

afterEach(async () => {
  running.abort();
  await ended;
  await rm(directory, { recursive: true });
});

async function put({ cert, key }: KeyPair): Promise<void> {
  await writeFile(join(directory, "tls.key"), key);
  await writeFile(join(directory, "tls.crt"), cert);
}

async function newLeaf(authority: KeyPair, hosts: readonly string[] = webhookHosts): Promise<KeyPair> {
  return issuer.leaf(authority, new Date(Date.now() + dayMs), hosts, new Date());
}

async function until(look: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!look()) {
    if (Date.now() > deadline) throw new Error("it did not happen");
    await sleep(5);
  }
}

/** The look under way may have read other files; the next one reads these, and is through when the third begins. */
async function lookedAt(): Promise<void> {
  const before = looks;
  await until(() => looks >= before + 3);
}

test("a certificate is served as soon as it is there and its CA is published, and again when it is renewed", async () => {
  expect(missing()[0]).toContain(directory);
  const authority = await issuer.authority(new Date());
  const first = await newLeaf(authority);
  await put(first);
  await lookedAt();
  expect(served).toEqual([]);
  trusted = [authority.cert];
  await until(() => missing().length === 0);
  expect(served).toEqual([first.cert]);
  const second = await newLeaf(authority);
  await put(second);
  await until(() => served.length === 2);
  expect(served).toEqual([first.cert, second.cert]);
  expect(ends).toHaveLength(2);
});

test("a certificate for other names, or of another CA, is not served", async () => {
  const authority = await issuer.authority(new Date());
  trusted = [authority.cert];
  await put(await newLeaf(authority, ["elsewhere"]));
  await lookedAt();
  expect([served, missing().length]).toEqual([[], 1]);
  await put(await newLeaf(await issuer.authority(new Date())));
  await lookedAt();
  expect([served, missing().length]).toEqual([[], 1]);
  // It has looked at both, and would have served either.
  const right = await newLeaf(authority);
  await put(right);
  await until(() => missing().length === 0);
  expect(served).toEqual([right.cert]);
});

test("it is not ready any more when the configuration loses the CA", async () => {
  const authority = await issuer.authority(new Date());
  trusted = [authority.cert];
  await put(await newLeaf(authority));
  await until(() => missing().length === 0);
  trusted = [];
  await until(() => missing().length === 1);
  expect(missing()[0]).toContain("has not signed");
});
