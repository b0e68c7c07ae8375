import { describe, expect, test } from "vitest";
import { keysDefect } from "../../../../../core/chaincode/runtime/service-keys.ts";
import { labelValue, serviceName, type ServiceIdentity } from "../../../../../core/chaincode/runtime/service-name.ts";
import { nodeStart, serversOf, serviceObjects } from "../../../../../core/chaincode/runtime/service-objects.ts";
import {
  createCertificateAuthority,
  issueTlsCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { chaincodeFiles } from "../../../../../core/fabric/package/chaincode-package.ts";
import { packServiceChaincode } from "../../../../../core/fabric/package/service-chaincode.ts";
import type { V1Deployment, V1NetworkPolicy } from "../../../../../core/kubernetes/client-node.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";

const identity: ServiceIdentity = {
  chaincode: "asset_transfer",
  channel: "mychannel",
  label: "asset_transfer",
  image: "registry.example.com/asset:1",
  per: "organization",
  clientAuth: false,
};
const network = networkFor({ peers: 2 });
const organization = network.spec.peerOrganizations[0] ?? { name: "", mspId: "", namespace: "", peers: 0 };
const design = { identity, organization, packageId: "asset_transfer:abc" };

describe("the name of a service", () => {
  test("is a DNS label that says whose it is, also with a peer's name behind it", () => {
    expect(serviceName(identity)).toMatch(/^cc-asset-transfer-[0-9a-f]{10}$/);
    const long = serviceName({ ...identity, chaincode: "A".repeat(39) + "_".repeat(1) + "b".repeat(80) });
    expect(`${long}-peer99`).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])$/);
  });

  test.each([
    ["channel", "other"],
    ["label", "asset-v2"],
    ["image", "registry.example.com/asset:2"],
    ["per", "peer"],
    ["clientAuth", true],
    ["chaincode", "asset-transfer"],
  ])("another %s is another service", (field, value) => {
    expect(serviceName({ ...identity, [field]: value })).not.toBe(serviceName(identity));
  });

  test("names of Fabric become values of labels", () => {
    expect(labelValue("asset_transfer")).toBe("asset_transfer");
    for (const name of ["channel.", "c".repeat(249)]) {
      expect(labelValue(name)).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,61}[A-Za-z0-9]$/);
    }
    expect(labelValue("c".repeat(100))).not.toBe(labelValue("c".repeat(101)));
  });
});

const kind = <T>(objects: readonly { readonly kind?: string }[], name: string): T[] =>
  objects.filter((object) => object.kind === name) as T[];

describe("the objects of a service", () => {
  test("one server for the organization, in its namespace, reachable by its peers alone", () => {
    const objects = serviceObjects(network, design, "c1");
    expect(objects.map((object) => object.kind)).toEqual(["Service", "NetworkPolicy", "Deployment"]);
    expect(new Set(objects.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`))).toEqual(
      new Set([`org1/${serviceName(identity)}`]),
    );
    const [policy] = kind<V1NetworkPolicy>(objects, "NetworkPolicy");
    expect(policy?.spec?.ingress).toEqual([
      {
        _from: [{ podSelector: { matchLabels: { "app.kubernetes.io/component": "peer" } } }],
        ports: [{ protocol: "TCP", port: 9999 }],
      },
    ]);
  });

  test("a server for each peer, which is the only one that may call it", () => {
    const each = { ...design, identity: { ...identity, per: "peer" } as const };
    expect(serversOf(each).map(({ peer }) => peer)).toEqual(["peer0", "peer1"]);
    const policies = kind<V1NetworkPolicy>(serviceObjects(network, each, "c1"), "NetworkPolicy");
    expect(policies.map(({ spec }) => spec?.ingress?.[0]?._from?.[0]?.podSelector?.matchLabels)).toEqual(
      ["peer0", "peer1"].map((peer) => ({
        "app.kubernetes.io/component": "peer",
        "kubectl-fabric.io/node": peer,
      })),
    );
  });

  test("Pods satisfy Pod Security restricted, have limits and probes, and no key of Kubernetes", () => {
    const [deployment] = kind<V1Deployment>(serviceObjects(network, design, "c1"), "Deployment");
    const spec = deployment?.spec?.template.spec;
    const [container] = spec?.containers ?? [];
    expect(spec?.automountServiceAccountToken).toBe(false);
    expect(container?.securityContext).toMatchObject({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container?.resources?.limits).toHaveProperty("memory");
    expect(container?.readinessProbe?.tcpSocket).toEqual({ port: "grpc" });
  });

  test("the chaincode is told who it is and where its keys are, never the keys", () => {
    const [deployment] = kind<V1Deployment>(serviceObjects(network, design, "c1"), "Deployment");
    const env = deployment?.spec?.template.spec?.containers[0]?.env ?? [];
    expect(Object.fromEntries(env.map(({ name, value }) => [name, value]))).toMatchObject({
      CHAINCODE_ID: "asset_transfer:abc",
      CORE_CHAINCODE_ID_NAME: "asset_transfer:abc",
      CHAINCODE_SERVER_ADDRESS: "0.0.0.0:9999",
      CHAINCODE_TLS_DISABLED: "false",
      CHAINCODE_TLS_KEY: "/etc/hyperledger/chaincode/tls.key",
      CORE_PEER_LOCALMSPID: "Org1MSP",
    });
    expect(env.some(({ name }) => name === "CHAINCODE_CLIENT_CA_CERT")).toBe(false);
    expect(JSON.stringify(deployment)).not.toContain("PRIVATE KEY");
  });

  test("a new certificate is a new Pod", () => {
    const templates = ["c1", "c2"].map(
      (certificate) =>
        kind<V1Deployment>(serviceObjects(network, design, certificate), "Deployment")[0]?.spec?.template.metadata,
    );
    expect(templates[0]?.annotations).not.toEqual(templates[1]?.annotations);
    expect(templates[0]?.labels).toEqual(templates[1]?.labels);
  });

  test("Node chaincode asks for certificates only when told", () => {
    const option = "--chaincode-tls-client-cacert-file=$(CHAINCODE_CLIENT_CA_CERT)";
    expect(nodeStart(true)).toContain(option);
    expect(nodeStart(false)).not.toContain(option);
  });
});

describe("the package of a service", () => {
  const connection = async (client: boolean) => {
    const pkg = await packServiceChaincode({
      label: "asset",
      address: { host: "cc.org1", port: 9999 },
      tls: { rootCertificate: "ROOT", client: client ? { certificate: "CERT", privateKey: "KEY" } : undefined },
      metadata: [{ name: "META-INF/statedb/couchdb/indexes/owner.json", content: Buffer.from("{}") }],
    });
    const files = await chaincodeFiles(pkg);
    const file = files.find(({ name }) => name === "connection.json");
    return {
      names: files.map(({ name }) => name),
      json: JSON.parse(Buffer.from(file?.content ?? []).toString()) as object,
    };
  };

  test("names the address, the authority, and the peers' key only where it is asked for", async () => {
    const { names, json } = await connection(false);
    expect(json).toEqual({
      address: "cc.org1:9999",
      dial_timeout: "10s",
      tls_required: true,
      root_cert: "ROOT",
      client_auth_required: false,
    });
    expect(names).toContain("META-INF/statedb/couchdb/indexes/owner.json");
    expect((await connection(true)).json).toMatchObject({
      client_auth_required: true,
      client_key: "KEY",
      client_cert: "CERT",
    });
  });
});

describe("keys of a server", () => {
  const now = new Date("2026-06-01T00:00:00Z");
  const keys = async () => {
    const request = { commonName: "tlsca", organization: "org1", now };
    const [authority, other] = [await createCertificateAuthority(request), await createCertificateAuthority(request)];
    const leaf = await issueTlsCertificate(authority, { commonName: "cc", hosts: ["cc.org1"], now });
    const data = { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey };
    return { authority, other, data };
  };

  test("are made anew when they cannot serve any longer", async () => {
    const { authority, other, data } = await keys();
    const root = authority.certificate;
    expect(keysDefect(data, root, ["cc.org1"], now)).toBeUndefined();
    expect(keysDefect({}, root, [], now)).toMatch(/lacks tls.crt/);
    expect(keysDefect(data, other.certificate, [], now)).toMatch(/another authority/);
    expect(keysDefect({ ...data, "tls.key": other.privateKey }, root, [], now)).toMatch(/does not match/);
    expect(keysDefect(data, root, ["cc.org2"], now)).toMatch(/lacks cc.org2/);
    expect(keysDefect(data, root, ["cc.org1"], new Date("2027-05-15T00:00:00Z"))).toMatch(/days left/);
  });
});
