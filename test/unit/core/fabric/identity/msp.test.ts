import { msp } from "@hyperledger/fabric-protos";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  createCertificateAuthority,
  type Credential,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import {
  checkMspId,
  localMsp,
  mspConfig,
  type MspDefinition,
  readMspConfig,
} from "../../../../../core/fabric/identity/msp.ts";

let authority: Credential;
let definition: MspDefinition;
beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: "ca", organization: "Org1", now: new Date() });
  definition = {
    mspId: "Org1MSP",
    rootCertificates: [authority.certificate],
    intermediateCertificates: [],
    tlsRootCertificates: [authority.certificate],
    tlsIntermediateCertificates: [],
    revocationLists: [],
    admins: [],
    nodeOus: true,
  };
});

describe("an MSP definition", () => {
  test("survives the channel's form", () => {
    expect(readMspConfig(mspConfig(definition))).toEqual(definition);
    const plain = { ...definition, nodeOus: false, admins: [authority.certificate] };
    expect(readMspConfig(mspConfig(plain))).toEqual(plain);
  });

  test("binds roles to the one authority, and to none when several may issue", () => {
    const ou = (of: MspDefinition) =>
      msp.FabricMSPConfig.deserializeBinary(mspConfig(of).getConfig_asU8()).getFabricNodeOus()?.getPeerOuIdentifier();
    expect(ou(definition)?.getOrganizationalUnitIdentifier()).toBe("peer");
    expect(Buffer.from(ou(definition)?.getCertificate_asU8() ?? []).toString()).toBe(authority.certificate);
    const two = { ...definition, rootCertificates: [authority.certificate, authority.certificate] };
    expect(ou(two)?.getCertificate_asU8()).toHaveLength(0);
  });

  test("needs a root certificate and a usable name", () => {
    expect(() => mspConfig({ ...definition, rootCertificates: [] })).toThrow("expected a root certificate of Org1MSP");
    expect(() => checkMspId("Org 1")).toThrow('found "Org 1"');
    expect(() => checkMspId("..")).toThrow("expected an MSP ID");
  });

  test("is not idemix", () => {
    const config = mspConfig(definition);
    config.setType(1);
    expect(() => readMspConfig(config)).toThrow("expected an X.509 MSP (type 0), found type 1");
  });
});

describe("a local MSP", () => {
  test("is a folder that Fabric reads", () => {
    const files = localMsp({
      identity: authority,
      rootCertificate: authority.certificate,
      tlsRootCertificate: authority.certificate,
    });
    expect(Object.keys(files).sort()).toEqual([
      "cacerts/ca.pem",
      "config.yaml",
      "keystore/key.pem",
      "signcerts/cert.pem",
      "tlscacerts/tlsca.pem",
    ]);
    expect(parse(files["config.yaml"] ?? "")).toMatchObject({
      NodeOUs: {
        Enable: true,
        AdminOUIdentifier: { Certificate: "cacerts/ca.pem", OrganizationalUnitIdentifier: "admin" },
      },
    });
  });
});
