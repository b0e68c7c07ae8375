import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { common } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { readBlock } from "../../../../core/fabric/node/block.ts";
import { bftCapabilities, defaultCapabilities } from "../../../../core/fabric/channel/capabilities.ts";
import { chaincodeFiles, readChaincodePackage } from "../../../../core/fabric/package/chaincode-package.ts";
import { packageChaincodeFolder } from "../../../../core/fabric/package/chaincode-source.ts";
import {
  addPeerOrganization,
  replaceConsenter,
  setAnchorPeers,
} from "../../../../core/fabric/channel/config-change.ts";
import { type ChannelConfig, configOf } from "../../../../core/fabric/channel/config.ts";
import { computeConfigUpdate } from "../../../../core/fabric/channel/config-update.ts";
import { genesisBlock, type ChannelGenesis, type Consensus } from "../../../../core/fabric/channel/genesis.ts";
import { localMsp } from "../../../../core/fabric/identity/msp.ts";
import { issueEnrolmentCertificate } from "../../../../core/fabric/identity/certificate-authority.ts";
import { groupJson } from "../../../unit/core/fabric/config-json.ts";
import { realReleases, tool } from "./fabric-release.ts";
import { issueNodeTls, newOrganization, type TestOrganization } from "./fabric-nodes.ts";

// Fabric's own tools and ours, on the same input.

const run = promisify(execFile);

describe
  .skipIf(realReleases.length === 0)
  .each(realReleases.length > 0 ? realReleases : [{ version: "(none here: set FABRIC_HOME)", home: "" }])(
  "the tools of Fabric $version",
  (release) => {
    let folder: string;
    let ordererOrg: TestOrganization;
    let org1: TestOrganization;
    let org2: TestOrganization;
    let raft: ChannelGenesis;
    let bft: ChannelGenesis;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "fabric-tools-"));
      [ordererOrg, org1, org2] = await Promise.all([
        newOrganization("OrdererMSP", "orderers"),
        newOrganization("Org1MSP", "org1"),
        newOrganization("Org2MSP", "org2"),
      ]);
      const consenters = await Promise.all(
        ["orderer0", "orderer1", "orderer2", "orderer3"].map(async (name, index) => {
          const tls = await issueNodeTls(ordererOrg, name);
          const commonName = `${name}.orderers`;
          const request = { commonName, role: "orderer", now: new Date() } as const;
          const identity = await issueEnrolmentCertificate(ordererOrg.enrolment, request);
          return {
            id: index + 1,
            mspId: "OrdererMSP",
            identity: identity.certificate,
            host: commonName,
            port: 7050,
            clientTlsCertificate: tls.certificate,
            serverTlsCertificate: tls.certificate,
          };
        }),
      );
      const channel = (consensus: Consensus): ChannelGenesis => ({
        name: "mychannel",
        consensus,
        ordererOrganizations: [
          { msp: ordererOrg.msp, endpoints: consenters.map(({ host, port }) => ({ host, port })) },
        ],
        peerOrganizations: [{ msp: org1.msp, anchorPeers: [{ host: "peer0.org1", port: 7051 }] }, { msp: org2.msp }],
      });
      raft = channel({ type: "raft", consenters });
      bft = channel({ type: "bft", consenters });
    });

    afterAll(() => rm(folder, { recursive: true, force: true }));

    test("inspect our genesis block", async () => {
      const file = join(folder, "ours.block");
      await writeFile(file, genesisBlock(raft, { now: new Date() }).serializeBinary());
      const { stdout } = await configtxgen(["-inspectBlock", file]);
      const json = JSON.parse(stdout) as {
        data: { data: { payload: { data: { config: { channel_group: Groups } } } }[] };
      };
      const { groups } = json.data.data[0]?.payload.data.config.channel_group ?? { groups: {} };
      expect(Object.keys(groups)).toEqual(["Application", "Orderer"]);
      expect(Object.keys(groups["Application"]?.groups ?? {})).toEqual(["Org1MSP", "Org2MSP"]);
    });

    test("make the same configuration for Raft", async () => {
      expect(await theirs(raft, "raft")).toEqual(ours(raft));
    });

    test.skipIf(!/\/?3\./.test(release.version))("make the same configuration for BFT", async () => {
      // configtxgen means to turn leader rotation off, but says so after it has written the options (encoder.go).
      const wanted = JSON.stringify(ours(bft)).replace('"leaderRotation":1', '"leaderRotation":0');
      expect(await theirs(bft, "bft")).toEqual(JSON.parse(wanted));
    });

    test.each([
      [
        "anchor peers",
        (config: ChannelConfig) => setAnchorPeers(config, "Org2MSP", [{ host: "peer0.org2", port: 7051 }]),
      ],
      [
        "another anchor peer",
        (config: ChannelConfig) => setAnchorPeers(config, "Org1MSP", [{ host: "peer1.org1", port: 7051 }]),
      ],
      [
        "a new organization",
        (config: ChannelConfig) => addPeerOrganization(config, { msp: { ...org1.msp, mspId: "Org3MSP" } }),
      ],
      [
        "a consenter's certificates",
        (config: ChannelConfig) =>
          replaceConsenter(config, {
            host: "orderer1.orderers",
            port: 7050,
            clientTlsCertificate: "c",
            serverTlsCertificate: "s",
          }),
      ],
    ])("compute the same update for %s", async (_, change) => {
      const original = configOf(genesisBlock(raft, { now: new Date() }));
      const updated = change(original);
      const [before, after, output] = ["before.pb", "after.pb", "update.pb"].map((name) => join(folder, name));
      await writeFile(before ?? "", original.config.serializeBinary());
      await writeFile(after ?? "", updated.config.serializeBinary());
      const args = [
        "compute_update",
        "--channel_id",
        "mychannel",
        "--original",
        before,
        "--updated",
        after,
        "--output",
        output,
      ];
      await run(tool(release, "configtxlator"), args as string[]);
      const update = common.ConfigUpdate.deserializeBinary(await readFile(output ?? ""));
      expect(computeConfigUpdate(original, updated)?.toObject()).toEqual(update.toObject());
    });

    test("pack the same Node chaincode, and know our package's ID", async () => {
      const source = join(folder, "node");
      await write(source, {
        "package.json": '{"scripts":{"start":"fabric-chaincode-node start"}}',
        "index.js": "// code",
        "lib/more.js": "// more",
        "META-INF/statedb/couchdb/indexes/owner.json":
          '{"index":{"fields":["owner"]},"ddoc":"o","name":"o","type":"json"}',
      });
      const { ours, theirs, idOfOurs } = await packBoth(source, "node");
      expect(ours.files).toEqual(theirs.files);
      expect(idOfOurs).toBe(ours.id);
    });

    test("pack the same Go chaincode", async () => {
      const source = join(folder, "go");
      await write(source, {
        "go.mod": "module example.com/assets\n\ngo 1.22\n",
        "lib/lib.go": "package lib\n",
        "cmd/cc/main.go": 'package main\n\nimport _ "example.com/assets/lib"\n\nfunc main() {}\n',
        "cmd/cc/META-INF/statedb/couchdb/indexes/owner.json":
          '{"index":{"fields":["owner"]},"ddoc":"o","name":"o","type":"json"}',
        ".hidden/x": "x",
        ".gitignore": "x",
      });
      const { ours, theirs, idOfOurs } = await packBoth(join(source, "cmd/cc"), "golang");
      expect(ours.files).toEqual(theirs.files);
      expect(ours.metadata).toEqual(theirs.metadata);
      expect(idOfOurs).toBe(ours.id);
    });

    test("pack the same Java chaincode", async () => {
      const source = join(folder, "java");
      await write(source, { "pom.xml": "<project/>", "src/main/java/Main.java": "class Main {}", "target/x.jar": "x" });
      const { ours, theirs, idOfOurs } = await packBoth(source, "java");
      expect(ours.files).toEqual(theirs.files);
      expect(idOfOurs).toBe(ours.id);
    });

    async function packBoth(source: string, language: string) {
      const [theirFile, ourFile] = [join(folder, "theirs.tar.gz"), join(folder, "ours.tar.gz")];
      await peerCommand(["package", theirFile, "--path", source, "--lang", language, "--label", "it_1.0"]);
      const theirs = await readChaincodePackage(await readFile(theirFile));
      const ours = await packageChaincodeFolder(source, "it_1.0");
      await writeFile(ourFile, ours.bytes);
      const idOfOurs = (await peerCommand(["calculatepackageid", ourFile])).trim();
      return {
        ours: { ...ours, files: await content(ours) },
        theirs: { ...theirs, files: await content(theirs) },
        idOfOurs,
      };
    }

    async function peerCommand(args: readonly string[]): Promise<string> {
      const config = join(release.home, "config");
      const env = { ...process.env, FABRIC_CFG_PATH: config, CORE_PEER_MSPCONFIGPATH: join(config, "msp") };
      const { stdout } = await run(tool(release, "peer"), ["lifecycle", "chaincode", ...args], { env });
      return stdout;
    }

    async function configtxgen(args: readonly string[], configPath = join(release.home, "config")) {
      return run(tool(release, "configtxgen"), [...args, "-configPath", configPath], { maxBuffer: 64 * 1024 * 1024 });
    }

    function ours(channel: ChannelGenesis): unknown {
      return normal(configOf(genesisBlock(channel, { now: new Date() })));
    }

    /** What configtxgen makes of a configtx.yaml that says the same. */
    async function theirs(channel: ChannelGenesis, name: string): Promise<unknown> {
      const config = join(folder, name);
      await write(config, {
        ...(await mspFolder(ordererOrg)),
        ...(await mspFolder(org1)),
        ...(await mspFolder(org2)),
        ...Object.fromEntries(
          channel.consensus.consenters.flatMap((consenter) => [
            [`${consenter.host}.pem`, consenter.serverTlsCertificate],
            [`${consenter.host}-identity.pem`, "identity" in consenter ? consenter.identity : ""],
          ]),
        ),
        "configtx.yaml": stringify(configtx(channel)),
      });
      await cp(join(release.home, "config/orderer.yaml"), join(config, "orderer.yaml"));
      const file = join(folder, `${name}.block`);
      await configtxgen(["-profile", "It", "-channelID", "mychannel", "-outputBlock", file], config);
      return normal(configOf(readBlock(await readFile(file))));
    }
  },
);

interface Groups {
  readonly groups: Readonly<Record<string, Groups>>;
}

function normal({ config }: ChannelConfig): unknown {
  return JSON.parse(JSON.stringify(groupJson(config.getChannelGroup() ?? new common.ConfigGroup())));
}

async function content(made: Parameters<typeof chaincodeFiles>[0]): Promise<unknown> {
  const files = await chaincodeFiles(made);
  return Object.fromEntries(files.map((file) => [file.name, Buffer.from(file.content).toString()]));
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

async function mspFolder({ mspId, enrolment, tls }: TestOrganization): Promise<Readonly<Record<string, string>>> {
  const files = localMsp({
    identity: enrolment,
    rootCertificate: enrolment.certificate,
    tlsRootCertificate: tls.certificate,
  });
  const known = ["cacerts/ca.pem", "tlscacerts/tlsca.pem", "config.yaml"];
  return Object.fromEntries(known.map((path) => [`${mspId}/${path}`, files[path] ?? ""]));
}

const meta = (rule: string) => ({ Type: "ImplicitMeta", Rule: rule });
const signature = (rule: string) => ({ Type: "Signature", Rule: rule });
const metaPolicies = { Readers: meta("ANY Readers"), Writers: meta("ANY Writers"), Admins: meta("MAJORITY Admins") };
const enabled = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, true]));

/** fabric-samples' test network in words of our input. */
function configtx({ consensus, ordererOrganizations, peerOrganizations }: ChannelGenesis): unknown {
  const capabilities = consensus.type === "bft" ? bftCapabilities : defaultCapabilities;
  const organization = (id: string, policies: object) => ({ Name: id, ID: id, MSPDir: id, Policies: policies });
  const orderers = ordererOrganizations.map(({ msp: { mspId: id }, endpoints }) => ({
    ...organization(id, {
      Readers: signature(`OR('${id}.member')`),
      Writers: signature(`OR('${id}.member')`),
      Admins: signature(`OR('${id}.admin')`),
    }),
    OrdererEndpoints: endpoints.map(({ host, port }) => `${host}:${port}`),
  }));
  const peers = peerOrganizations.map(({ msp: { mspId: id }, anchorPeers = [] }) => ({
    ...organization(id, {
      Readers: signature(`OR('${id}.admin', '${id}.peer', '${id}.client')`),
      Writers: signature(`OR('${id}.admin', '${id}.client')`),
      Admins: signature(`OR('${id}.admin')`),
      Endorsement: signature(`OR('${id}.peer')`),
    }),
    AnchorPeers: anchorPeers.map(({ host, port }) => ({ Host: host, Port: port })),
  }));
  return {
    Profiles: {
      It: {
        Policies: metaPolicies,
        Capabilities: enabled(capabilities.channel),
        Orderer: {
          ...consensusYaml(consensus),
          BatchTimeout: "2s",
          BatchSize: { MaxMessageCount: 10, AbsoluteMaxBytes: "99 MB", PreferredMaxBytes: "512 KB" },
          Organizations: orderers,
          Policies: { ...metaPolicies, BlockValidation: meta("ANY Writers") },
          Capabilities: enabled(capabilities.orderer),
        },
        Application: {
          Organizations: peers,
          Policies: {
            ...metaPolicies,
            LifecycleEndorsement: meta("MAJORITY Endorsement"),
            Endorsement: meta("MAJORITY Endorsement"),
          },
          Capabilities: enabled(capabilities.application),
        },
      },
    },
  };
}

function consensusYaml(consensus: Consensus): object {
  const tls = ({ host, port }: { host: string; port: number }) => ({
    Host: host,
    Port: port,
    ClientTLSCert: `${host}.pem`,
    ServerTLSCert: `${host}.pem`,
  });
  if (consensus.type === "raft") {
    return { OrdererType: "etcdraft", EtcdRaft: { Consenters: consensus.consenters.map(tls) } };
  }
  return {
    OrdererType: "BFT",
    ConsenterMapping: consensus.consenters.map((consenter) => ({
      ...tls(consenter),
      ID: consenter.id,
      MSPID: consenter.mspId,
      Identity: `${consenter.host}-identity.pem`,
    })),
  };
}
