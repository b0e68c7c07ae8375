import { expect, test } from "vitest";
import { heldCertificates } from "../../../../core/installation/webhook-certificates.ts";
import { issuer } from "../../../../webhook/certificates/issue.ts";

const dayMs = 86_400_000;
const start = new Date("2026-01-01T00:00:00Z");
const after = (days: number) => new Date(start.getTime() + days * dayMs);
const webhookHosts = ["kubectl-fabric-webhook.kubectl-fabric-system.svc"];

test("who holds which authority, and how long it all lasts", async () => {
  const [old, next] = [await issuer.authority(start), await issuer.authority(after(300))];
  const leaf = await issuer.leaf(old, after(400), webhookHosts, after(250));
  const found = {
    authority: next.cert,
    leaf: leaf.cert,
    trusted: [next.cert, old.cert],
    served: [
      { pod: "a", certificate: leaf.cert },
      { pod: "b", problem: "connection refused" },
    ],
  };
  const held = heldCertificates(found, after(301));
  expect(held.map(({ role, holder, daysLeft }) => [role, holder, daysLeft])).toEqual([
    ["authority", "Secret kubectl-fabric-webhook-authority", 364],
    ["trusted", "MutatingWebhookConfiguration kubectl-fabric-webhook", 364],
    ["trusted", "MutatingWebhookConfiguration kubectl-fabric-webhook", 64],
    ["leaf", "Secret kubectl-fabric-webhook-tls", 99],
    ["served", "Pod a", 99],
    ["served", "Pod b", undefined],
  ]);
  const [authority, first, second, kept, served, refused] = held;
  expect(authority?.authority).toBe(first?.fingerprint);
  expect([kept?.authority, served?.authority]).toEqual([second?.fingerprint, second?.fingerprint]);
  expect(held.flatMap(({ problem }) => problem ?? [])).toEqual(["connection refused"]);
  expect(refused?.fingerprint).toBeUndefined();
});

test("a leaf that nobody trusts, and one that has ended, are problems", async () => {
  const [trusted, other] = [await issuer.authority(start), await issuer.authority(start)];
  const strange = await issuer.leaf(other, after(365), webhookHosts, start);
  const ended = await issuer.leaf(trusted, after(365), webhookHosts, start);
  const problems = heldCertificates(
    {
      authority: undefined,
      leaf: strange.cert,
      trusted: [trusted.cert],
      served: [{ pod: "a", certificate: ended.cert }],
    },
    after(200),
  ).map(({ problem }) => problem);
  expect(problems).toEqual([undefined, "no trusted authority signed it", "it has expired"]);
});
