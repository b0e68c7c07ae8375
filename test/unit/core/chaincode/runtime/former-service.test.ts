import { describe, expect, test } from "vitest";
import { checkServed } from "../../../../../core/chaincode/runtime/former-service.ts";
import { FabricError } from "../../../../../core/error.ts";
import { type ChaincodePackage, packChaincode } from "../../../../../core/fabric/package/chaincode-package.ts";
import { packServiceChaincode } from "../../../../../core/fabric/package/service-chaincode.ts";
import type { Cluster } from "../../../../../core/kubernetes/cluster.ts";
import type { PeerOrganization } from "../../../../../core/network/resources/spec.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const organization = { name: "org1", namespace: "airline" } as PeerOrganization;

/** A cluster with Services in the namespace airline, or one that refuses to list them. */
function cluster(services: readonly string[] | Error): Cluster {
  const call = async ({ path }: { readonly path: string }) => {
    expect(path).toBe("/api/v1/namespaces/airline/services");
    if (services instanceof Error) throw services;
    return { items: services.map((name) => ({ metadata: { name } })) };
  };
  return { call } as unknown as Cluster;
}

const check = (pkg: ChaincodePackage, services: readonly string[] | Error) =>
  checkServed(
    { cluster: cluster(services) },
    organization,
    { id: pkg.id, type: undefined, load: async () => pkg },
    signal,
  );
const at = (host: string) => packServiceChaincode({ label: "asset", address: { host, port: 9999 } });

describe("a package from before, that peers dial,", () => {
  test.each([
    ["cc-asset-1f.airline", ["cc-asset-1f"]],
    ["cc-asset-1f", ["cc-asset-1f"]],
    ["cc-asset-1f.airline.svc.cluster.local", ["other", "cc-asset-1f"]],
    ["cc-asset-1f-{{.peername}}.airline", ["cc-asset-1f-peer0"]],
  ])("at %s is served by what is there", async (host, services) => {
    await expect(check(await at(host), services)).resolves.toBeUndefined();
  });

  test.each([
    ["cc-asset-1f.airline", "cc-asset-1f.airline"],
    ["cc-asset-1f-{{.peername}}.airline", "cc-asset-1f-.airline"],
  ])("at %s is refused without it, with what to type", async (host, told) => {
    await expect(check(await at(host), ["cc-asset-2e"])).rejects.toMatchObject({
      code: "usage",
      message: `expected the service that peers of org1 are to call, ${told}, found none`,
      hint: typedAs("--runtime service --image IMAGE runs it again, as a new sequence"),
    });
  });

  test.each(["localhost", "10.0.0.7", "asset.example.com", "asset.airline.example.com", "cc-asset-1f.hotel"])(
    "at %s is somebody else's matter",
    async (host) => {
      await expect(check(await at(host), new Error("nobody is to be asked"))).resolves.toBeUndefined();
    },
  );

  test("is let through where Services may not be listed; what else fails is told", async () => {
    const pkg = await at("cc-asset-1f.airline");
    await expect(check(pkg, new FabricError("forbidden", "you may not"))).resolves.toBeUndefined();
    await expect(check(pkg, new Error("lost"))).rejects.toThrow("lost");
  });
});

test("a package that peers build asks for no service, nor one that no peer could read", async () => {
  const nobody = new Error("nobody is to be asked");
  const built = await packChaincode({ path: "", type: "node", label: "asset" }, []);
  const broken = await packChaincode({ path: "", type: "ccaas", label: "asset" }, [
    { name: "connection.json", content: Buffer.from("{") },
  ]);
  for (const pkg of [built, broken]) await expect(check(pkg, nobody)).resolves.toBeUndefined();
});
