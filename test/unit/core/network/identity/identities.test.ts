import { describe, expect, test } from "vitest";
import { identitySecret, readIdentitySecret } from "../../../../../core/network/identity/identity-secret.ts";
import {
  adminIdentity,
  authoritiesSecret,
  identityDefect,
  issueIdentity,
  newAuthorities,
  nodeIdentity,
  readAuthorities,
} from "../../../../../core/network/identity/identities.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { peerNodes } from "../../../../../core/network/resources/nodes.ts";

const network = networkFor({});
const organization = network.spec.peerOrganizations[0]!;
const node = peerNodes(network)[0]!;
const now = new Date("2026-01-01T00:00:00Z");
const years = (count: number) => new Date(now.getTime() + count * 365 * 86_400_000);

describe("identities", async () => {
  const authorities = await newAuthorities(organization, now);
  const peer = await issueIdentity(authorities, nodeIdentity(node), now);

  test("survive the way through a Secret", () => {
    expect(readIdentitySecret(identitySecret(network, organization, "peer0", peer))).toEqual(peer);
    expect(readAuthorities(authoritiesSecret(network, organization, authorities))).toEqual(authorities);
  });

  test("a Secret that somebody emptied names what it lacks", () => {
    const { "msp-key.pem": _, ...rest } = identitySecret(network, organization, "peer0", peer).data!;
    expect(readIdentitySecret({ data: rest })).toEqual({ missing: ["msp-key.pem"] });
    expect(readAuthorities({ data: {} })).toBeUndefined();
  });

  test("a fresh identity has no defect", () => {
    expect(identityDefect(peer, authorities, nodeIdentity(node), now)).toBeUndefined();
  });

  test("every way of being wrong is told", async () => {
    const others = await newAuthorities(organization, now);
    const admin = await issueIdentity(authorities, adminIdentity(organization), now);
    const defect = (identity = peer, from = authorities, at = now) =>
      identityDefect(identity, from, nodeIdentity(node), at);
    expect(defect(peer, others)).toBe("it was issued by another authority");
    expect(defect(admin)).toBe("it is no peer");
    expect(defect({ ...peer, "msp-key.pem": admin["msp-key.pem"] })).toBe("its key does not match");
    expect(defect({ ...peer, "tls-key.pem": admin["tls-key.pem"] })).toBe("its TLS key does not match");
    expect(defect({ ...peer, "tls-cert.pem": admin["tls-cert.pem"], "tls-key.pem": admin["tls-key.pem"] })).toMatch(
      /lacks peer0, peer0\.org1,/,
    );
    expect(defect(peer, authorities, years(2))).toBe("it has expired");
  });
});
