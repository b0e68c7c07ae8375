import {
  cleanupRequest,
  scheduledSources,
  scheduleRequest,
  sourcesOf,
} from "../../../../../plugin/commands/cleanup.ts";
import { optionsOf } from "../../../../../plugin/commands/command.ts";
import { initRequest } from "../../../../../plugin/commands/init.ts";
import { upRequest } from "../../../../../plugin/commands/up.ts";
import { webhookRequest } from "../../../../../plugin/commands/webhook.ts";
import { asTyped, planned, table, unplanned, type Lists, type Table } from "./table.ts";

/** What is so unless told. */
const nodes = { namespace: "default", image: "docker:28-dind", socket: "/run/docker.sock" };

const untold = { mspDir: undefined, tlsCaFile: undefined, keyPassphraseFile: undefined };

/** Of the commands about a network and its cluster. */
export const networkTables: Readonly<Record<string, Table>> = {
  up: table(
    (command) => upRequest(optionsOf(command)),
    [
      "up --chaincode ./some/asset",
      {
        network: {},
        channel: "mychannel",
        deployment: { name: "asset", path: "./some/asset", channel: "mychannel" },
      },
    ],
    [
      "--network trade up --chaincode ./asset --name basic -C c --fabric-version 2.5 --load-image a.tar --load-image b.tar " +
        "--include .npmrc --include a.pem,b.pem --bundle --language node --dry-run --timeout 7s",
      {
        network: { name: "trade", fabricVersion: "2.5" },
        channel: "c",
        deployment: {
          name: "basic",
          path: "./asset",
          channel: "c",
          loadImage: ["a.tar", "b.tar"],
          include: [".npmrc", "a.pem", "b.pem"],
          bundle: true,
          language: "node",
        },
      },
    ],
    [
      "up --chaincode ./asset --no-bundle",
      {
        network: {},
        channel: "mychannel",
        deployment: { name: "asset", path: "./asset", channel: "mychannel", bundle: false },
      },
    ],
  ),
  doctor: asTyped(
    ["doctor", { words: [] }],
    ["doctor -n org1,org2 -n org3", { words: [], namespace: ["org1", "org2", "org3"] }],
  ),
  "webhook install": table(
    (command) => webhookRequest(optionsOf(command)),
    ["webhook install", {}],
    [
      "webhook install --image registry.example/webhook:1 --replicas 3 --policy --dry-run --timeout 7s",
      { image: "registry.example/webhook:1", replicas: 3, policy: true },
    ],
  ),
  "webhook uninstall": asTyped(
    ["webhook uninstall", { words: [], yes: false, ...unplanned }],
    ["webhook uninstall -y --dry-run --timeout 7s", { words: [], yes: true, ...planned }],
  ),
  "webhook status": asTyped(["webhook status", { words: [] }]),
  init: table(
    (command) => ({ ...initRequest(optionsOf(command)), file: optionsOf<{ readonly file?: string }>(command).file }),
    ["init", { file: undefined }],
    ["init -f network.yaml --network trade --dry-run --timeout 7s", { file: "network.yaml", name: "trade" }],
    [
      "init --network trade --fabric-version 2.5 --peer-orgs org1,org2 --peer-orgs org3 --peers 2 --orderer-org raft " +
        "--orderers 5 --storage-class fast --profile restricted --chaincode-idle 2d --peer-image p:1 --orderer-image o:1 " +
        "--peer-memory 8Gi --orderer-memory 1Gi",
      {
        file: undefined,
        name: "trade",
        fabricVersion: "2.5",
        peerOrganizations: ["org1", "org2", "org3"],
        peers: 2,
        ordererOrganization: "raft",
        orderers: 5,
        storageClass: "fast",
        profile: "restricted",
        chaincodeIdle: "48h",
        peerImage: "p:1",
        ordererImage: "o:1",
        peerMemory: "8Gi",
        ordererMemory: "1Gi",
      },
    ],
    ["init --no-chaincode-idle", { file: undefined, chaincodeIdle: false }],
  ),
  join: asTyped(
    ["join mychannel", { words: ["mychannel"], ...unplanned }],
    [
      "join mychannel --orgs org1,org2 --orgs org3 --dry-run --timeout 7s",
      { words: ["mychannel"], orgs: ["org1", "org2", "org3"], ...planned },
    ],
  ),
  status: asTyped(["status", { words: [] }]),
  inject: asTyped(
    ["inject -f -", { words: [], file: "-", diff: false }],
    [
      "inject -f peer.yaml --diff --path spec.template --settings settings.yaml --kubernetes-version 1.28",
      {
        words: [],
        file: "peer.yaml",
        diff: true,
        path: "spec.template",
        settings: "settings.yaml",
        kubernetesVersion: "1.28",
      },
    ],
  ),
  eject: asTyped(
    [
      "eject -f peer.yaml --diff --path spec.template",
      { words: [], file: "peer.yaml", diff: true, path: "spec.template", yes: false, dryRun: false, timeout: 60 },
    ],
    [
      "eject deployment/a statefulset/b -n org1 --yes --dry-run --timeout 7s",
      { words: ["deployment/a", "statefulset/b"], namespace: "org1", diff: false, yes: true, ...planned },
    ],
  ),
  cleanup: table(
    async (command) => {
      const { source, mspDir, tlsCaFile, keyPassphraseFile } = optionsOf<Lists>(command);
      const lookedUp = { sources: await sourcesOf(source), identities: [], nodes };
      return { ...cleanupRequest(optionsOf(command), lookedUp), mspDir, tlsCaFile, keyPassphraseFile };
    },
    ["cleanup", { sources: ["dind", "builder-k8s", "service"], identities: [], gonePeers: [], nodes, ...untold }],
    [
      "--network trade cleanup --yes --older-than 7d --org org1 --org org2,org3 --peer peer0.org1 --peer other/peer-0,peer1.org1 " +
        "--source host-docker --source dind,service --msp-dir Org3MSP=a --msp-dir Org4MSP=b,c --gone-peer peer9.org1 " +
        "--tls-ca-file Org3MSP=t --tls-ca-file Org4MSP=u,v --key-passphrase-file p,q --key-passphrase-file /dev/fd/3 " +
        "--gone-peer test/peer8,peer7 --node-namespace kube-system --node-image docker:1 --node-socket /docker.sock " +
        "--dry-run --timeout 7s",
      {
        sources: ["host-docker", "dind", "service"],
        olderThan: 604_800,
        network: "trade",
        organizations: ["org1", "org2", "org3"],
        peers: ["peer0.org1", "other/peer-0", "peer1.org1"],
        identities: [],
        gonePeers: ["peer9.org1", "test/peer8", "peer7"],
        nodes: { namespace: "kube-system", image: "docker:1", socket: "/docker.sock" },
        mspDir: ["Org3MSP=a", "Org4MSP=b,c"],
        tlsCaFile: ["Org3MSP=t", "Org4MSP=u,v"],
        keyPassphraseFile: ["p,q", "/dev/fd/3"],
      },
    ],
    [
      "cleanup --node-image docker:1",
      {
        sources: ["dind", "builder-k8s", "service"],
        identities: [],
        gonePeers: [],
        nodes: { ...nodes, image: "docker:1" },
        ...untold,
      },
    ],
  ),
  "cleanup schedule": table(
    async (command) => {
      const { source, org } = optionsOf<Lists>(command);
      return { ...scheduleRequest(optionsOf(command), await scheduledSources(source)), organizations: org };
    },
    [
      "cleanup schedule",
      {
        cron: "17 3 * * *",
        olderThan: 86_400,
        sources: ["dind", "service"],
        image: "docker.io/kubectlfabric/plugin:0.0.0-dev",
        organizations: undefined,
      },
    ],
    [
      "cleanup schedule --cron @hourly --older-than 12h --org org1 --org org2,org3 --source dind --source builder-k8s,service " +
        "--image registry.example/plugin:1 --dry-run --timeout 7s",
      {
        cron: "@hourly",
        olderThan: 43_200,
        sources: ["dind", "builder-k8s", "service"],
        image: "registry.example/plugin:1",
        organizations: ["org1", "org2", "org3"],
      },
    ],
  ),
  "cleanup unschedule": table(
    (command) => optionsOf<Lists>(command)["org"],
    ["cleanup unschedule", undefined],
    ["cleanup unschedule --org org1 --org org2,org3 --dry-run --timeout 7s", ["org1", "org2", "org3"]],
  ),
  down: asTyped(
    ["down", { words: [], yes: false, ...unplanned }],
    ["down -y --dry-run --timeout 7s", { words: [], yes: true, ...planned }],
  ),
};
