import { isCurrent, isSignedBy, isUsable, names, readCertificate, type KeyPair } from "./certificate.ts";
import type { Issuer } from "./issue.ts";
import type { Authority, CertificateStore, Versioned, Written } from "./store.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** How often every replica has to check its certificates at least. It does so more often, to repair what others overwrote. */
const checkIntervalMs = 12 * hourMs;

/** A CA, or a leaf, is replaced when this much of its time is left. */
export const authorityRenewalMs = 60 * dayMs;
export const leafRenewalMs = 30 * dayMs;

/** The time after which every API server has read a new bundle: only then a leaf of the new CA may be served. */
export const settlingMs = hourMs;

/** The time after which every replica serves a new leaf: only then the old leaf's CA may be removed. */
export const pruningMs = 2 * checkIntervalMs + hourMs;

/** The certificates as they were read. */
export interface CertificateState {
  readonly authority: Authority;
  readonly leaf: KeyPair;
  readonly trusted: readonly (readonly string[])[];
}

/** The next step. Each step is safe by itself, in whatever order the replicas take them. */
export type RotationStep =
  | { readonly kind: "issue-authority"; readonly keep: readonly string[] }
  | { readonly kind: "publish"; readonly bundle: readonly string[] }
  | { readonly kind: "issue-leaf" }
  | { readonly kind: "prune" }
  /** A clock is wrong, perhaps ours. Nothing is replaced, or the replicas would replace each other's certificates in turns. */
  | { readonly kind: "wait"; readonly what: string; readonly until: Date }
  | { readonly kind: "done" };

/** Decides on the next step. Pure. */
export function nextStep(
  { authority, leaf, trusted }: CertificateState,
  hosts: readonly string[],
  now: Date,
): RotationStep {
  const bundle = authority.bundle.filter((pem) => leftMs(pem, now) > 0);
  const begins = beginsLater(authority, now);
  if (begins !== undefined && isAuthority(authority, begins)) return { kind: "wait", what: "CA", until: begins };
  if (!isAuthority(authority, now) || leftMs(authority.cert, now) < authorityRenewalMs) {
    return { kind: "issue-authority", keep: bundle };
  }
  const whole = bundle.includes(authority.cert) ? bundle : [authority.cert, ...bundle];
  if (!trusted.every((list) => sameCertificates(list, whole))) return { kind: "publish", bundle: whole };
  const later = beginsLater(leaf, now);
  if (later !== undefined && isServable(leaf, whole, hosts, later))
    return { kind: "wait", what: "certificate", until: later };
  if (!isServable(leaf, whole, hosts, now)) return { kind: "issue-leaf" };
  if (whole.length === 1) return leftMs(leaf.cert, now) < leafRenewalMs ? { kind: "issue-leaf" } : { kind: "done" };
  return changeOver({ authority, leaf }, now);
}

/** While two CAs are trusted: issues a leaf of the new CA when all API servers know that CA, and then removes the old CA. */
function changeOver({ authority, leaf }: Pick<CertificateState, "authority" | "leaf">, now: Date): RotationStep {
  if (ageMs(authority.cert, now) < settlingMs) return { kind: "done" };
  if (!signedBy(leaf.cert, authority.cert) || leftMs(leaf.cert, now) < leafRenewalMs) return { kind: "issue-leaf" };
  return { kind: ageMs(leaf.cert, now) < pruningMs ? "done" : "prune" };
}

/** When a certificate begins, if that is in the future. */
function beginsLater({ cert }: KeyPair, now: Date): Date | undefined {
  const from = readCertificate(cert)?.validFromDate;
  return from !== undefined && from > now ? from : undefined;
}

function isAuthority(pair: KeyPair, now: Date): boolean {
  return isUsable(pair, now) && readCertificate(pair.cert)?.ca === true;
}

/** Whether the API server would take this leaf. */
export function isServable(leaf: KeyPair, bundle: readonly string[], hosts: readonly string[], now: Date): boolean {
  const certificate = readCertificate(leaf.cert);
  if (certificate === undefined || !isUsable(leaf, now) || !names(certificate, hosts)) return false;
  return bundle.some((pem) => signedBy(leaf.cert, pem) && isCurrentPem(pem, now));
}

function signedBy(pem: string, authorityPem: string): boolean {
  const certificate = readCertificate(pem);
  const authority = readCertificate(authorityPem);
  return certificate !== undefined && authority !== undefined && isSignedBy(certificate, authority);
}

function isCurrentPem(pem: string, now: Date): boolean {
  const certificate = readCertificate(pem);
  return certificate !== undefined && isCurrent(certificate, now);
}

function leftMs(pem: string, now: Date): number {
  return (readCertificate(pem)?.validToDate.getTime() ?? 0) - now.getTime();
}

function ageMs(pem: string, now: Date): number {
  return now.getTime() - (readCertificate(pem)?.validFromDate.getTime() ?? now.getTime());
}

function sameCertificates(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((pem) => b.includes(pem));
}

/** The inputs of `reconcile`. */
export interface RotationDependencies {
  readonly store: CertificateStore;
  readonly issuer: Issuer;
  /** DNS names of the Service. */
  readonly hosts: readonly string[];
  readonly now: () => Date;
  /** Called for each step taken. */
  readonly stepped?: (kind: RotationStep["kind"], written: Written) => void;
}

/** The certificates when no step is left. */
export interface Reconciled {
  readonly leaf: KeyPair;
  readonly authorityEnds: Date;
  readonly leafEnds: Date;
}

/** More rounds than the replicas' conflicts could cause: another program keeps writing. */
const mostRounds = 50;

/**
 * Takes steps until none is left. After a conflict with another replica it reads again and decides anew.
 * Throws the store's errors, and Error when the conflicts do not end, or a certificate begins in the future.
 */
export async function reconcile(dependencies: RotationDependencies): Promise<Reconciled> {
  for (let round = 0; round < mostRounds; round++) {
    const done = await takeStep(dependencies);
    if (done !== undefined) return done;
  }
  throw new Error(`certificates were written by others ${mostRounds} times in a row`);
}

async function takeStep({ store, issuer, hosts, now, stepped }: RotationDependencies): Promise<Reconciled | undefined> {
  // The trusted CAs are read first, so that their bundle is never replaced by an older one of an authority that was read before.
  const trusted = await store.readTrusted();
  const leaf = await store.readLeaf();
  const authority = await store.readAuthority();
  const state = { authority: authority.value, leaf: leaf.value, trusted: trusted.value };
  const time = now();
  const step = nextStep(state, hosts, time);
  if (step.kind === "done") return { ...ends(state), leaf: leaf.value };
  if (step.kind === "wait") throw notYet(step, time);
  stepped?.(
    step.kind,
    await write(step, { authority, leaf, trusted: trusted.resourceVersion }, { store, issuer, hosts }, time),
  );
  return undefined;
}

function notYet({ what, until }: Extract<RotationStep, { kind: "wait" }>, now: Date): Error {
  const times = `the ${what} begins at ${until.toISOString()}, by this clock it is ${now.toISOString()}`;
  return new Error(
    `${times}: the clock of this node, or of the one whose replica made it, is wrong; nothing is replaced`,
  );
}

function ends({ authority, leaf }: CertificateState): { readonly authorityEnds: Date; readonly leafEnds: Date } {
  const end = (pem: string): Date => readCertificate(pem)?.validToDate ?? new Date(0);
  return { authorityEnds: end(authority.cert), leafEnds: end(leaf.cert) };
}

interface Read {
  readonly authority: Versioned<Authority>;
  readonly leaf: Versioned<KeyPair>;
  readonly trusted: string;
}

async function write(
  step: Exclude<RotationStep, { kind: "done" | "wait" }>,
  { authority, leaf, trusted }: Read,
  { store, issuer, hosts }: Pick<RotationDependencies, "store" | "issuer" | "hosts">,
  time: Date,
): Promise<Written> {
  switch (step.kind) {
    case "issue-authority": {
      const pair = await issuer.authority(time);
      return store.writeAuthority({ ...pair, bundle: [pair.cert, ...step.keep] }, authority.resourceVersion);
    }
    case "publish":
      return store.writeTrusted(step.bundle, trusted);
    case "issue-leaf": {
      const { authorityEnds } = ends({ authority: authority.value, leaf: leaf.value, trusted: [] });
      return store.writeLeaf(await issuer.leaf(authority.value, authorityEnds, hosts, time), leaf.resourceVersion);
    }
    case "prune": {
      const { value, resourceVersion } = authority;
      return store.writeAuthority({ ...value, bundle: [value.cert] }, resourceVersion);
    }
  }
}
