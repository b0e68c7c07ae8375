import { expect, test } from "vitest";
import type { Finding } from "../../../../core/orphans/judgement/finding.ts";
import type { PeerPod } from "../../../../core/orphans/peers/peer-pod.ts";
import { peersWithin, within, type Survey } from "../../../../core/orphans/survey.ts";

const peer = (namespace: string, network?: string, organization?: string): PeerPod => ({
  name: `peer0.${namespace}`,
  namespace,
  pod: "peer0-0",
  container: "peer",
  docker: "sidecar",
  tls: true,
  running: true,
  network,
  organization,
});
const ours = peer("airline-org1", "airline", "org1");
const others = [peer("hotel-org1", "hotel", "org1"), peer("somebody")];

const finding = (place: string, owner?: PeerPod): Finding => ({
  source: owner === undefined ? "service" : "dind",
  place,
  kind: owner === undefined ? "Deployment" : "image",
  name: "old",
  verdict: "orphan",
  because: "nobody needs it",
  ...(owner && { peer: owner.name }),
});

test("a network's scope is its own peers, what is theirs, and what nobody owns in their namespaces", () => {
  const scope = { network: "airline" };
  const chosen = peersWithin(scope, [ours, ...others]);
  expect(chosen).toEqual([ours]);
  const own = [finding("airline-org1/peer0-0", ours), finding("namespace airline-org1")];
  const foreign = [finding("hotel-org1/peer0-0", others[0]), finding("namespace hotel-org1")];
  const survey: Survey = {
    findings: [...own, ...foreign],
    uncommitted: [
      { peer: ours.name, packageId: "own:1" },
      { peer: "peer0.somebody", packageId: "foreign:1" },
    ],
    blind: [{ place: "peer0.hotel-org1", code: "forbidden", because: "not ours to ask" }],
  };
  expect(within(scope, survey, chosen)).toEqual({
    findings: own,
    uncommitted: [{ peer: ours.name, packageId: "own:1" }],
    blind: [],
  });
});

test("an organization is looked for in the network that was named", () => {
  expect(peersWithin({ network: "airline", organizations: ["org1"] }, [ours, ...others])).toEqual([ours]);
  expect(peersWithin({ organizations: ["org1"] }, [ours, ...others])).toEqual([ours, others[0]]);
  expect(() => peersWithin({ network: "airline", organizations: ["org2"] }, [ours, ...others])).toThrow(
    "expected --org to name one of org1, found org2",
  );
});
