import type { Command } from "commander";
import { logsRequest } from "../../../../../plugin/commands/chaincode/logs.ts";
import { packageRequest } from "../../../../../plugin/commands/chaincode/package.ts";
import { seedRequest } from "../../../../../plugin/commands/chaincode/seed.ts";
import { optionsOf } from "../../../../../plugin/commands/command.ts";
import { deployRequest } from "../../../../../plugin/commands/deploy-cc.ts";
import { transactionRequest, transientSources } from "../../../../../plugin/commands/transaction.ts";
import { asTyped, planned, table, unplanned, type Table } from "./table.ts";

const first = ({ args: [name = ""] }: Command): string => name;

const transaction = (command: Command) => ({
  ...transactionRequest(command.args, optionsOf(command)),
  transient: transientSources(optionsOf(command)),
});

/** Of the commands about chaincode. */
export const chaincodeTables: Readonly<Record<string, Table>> = {
  "deploy-cc": table(
    (command) => deployRequest(first(command), optionsOf(command)),
    ["deploy-cc asset -C c", { name: "asset", channel: "c", offline: false, runtime: "dind" }],
    [
      "deploy-cc asset --channel c --path ./asset --image asset:1 --language node --build --bundle --offline --include .npmrc " +
        "--include a.pem,b.pem --label asset_1 --chaincode-version 1.2 --policy OR('Org1MSP.peer','Org2MSP.peer') " +
        '--collections c.json --init --init-args {"Args":["Init","a"]} --package-id asset:0a --rollback-to 3 ' +
        "--orgs org1,org2 --orgs org3 --peers peer0.org1 --peers peer0.org2,peer0.org3 --load-image a.tar --load-image b.tar " +
        "--runtime service --start ./run --per peer --client-auth --dry-run --timeout 7s",
      {
        name: "asset",
        channel: "c",
        path: "./asset",
        image: "asset:1",
        language: "node",
        offline: true,
        bundle: true,
        include: [".npmrc", "a.pem", "b.pem"],
        label: "asset_1",
        version: "1.2",
        policy: "OR('Org1MSP.peer','Org2MSP.peer')",
        collections: "c.json",
        initRequired: true,
        initArguments: ["Init", "a"],
        packageId: "asset:0a",
        rollbackTo: 3,
        organizations: ["org1", "org2", "org3"],
        peers: ["peer0.org1", "peer0.org2", "peer0.org3"],
        loadImage: ["a.tar", "b.tar"],
        runtime: "service",
        start: "./run",
        per: "peer",
        clientAuth: true,
      },
    ],
    [
      "deploy-cc asset -C c --path ./asset --no-bundle",
      { name: "asset", channel: "c", path: "./asset", bundle: false, offline: false, runtime: "dind" },
    ],
    [
      "deploy-cc asset -C c --org org2 --no-init",
      { name: "asset", channel: "c", offline: false, runtime: "dind", organizations: ["org2"], initRequired: false },
    ],
  ),
  invoke: table(
    transaction,
    [
      "invoke asset Ping -C c",
      { chaincode: "asset", channel: "c", function: "Ping", arguments: [], isInit: false, transient: undefined },
    ],
    [
      "invoke asset contract:Create a1 '' -C c --org org2 --transient-file t.json --transient-file price=p " +
        "--transient-base64-file u.json --transient-base64-file v.json --endorsing-orgs org1,org2 " +
        "--endorsing-orgs org3 --wait-event Created --timeout 7s",
      {
        chaincode: "asset",
        channel: "c",
        function: "contract:Create",
        arguments: ["a1", ""],
        organization: "org2",
        endorsingOrganizations: ["org1", "org2", "org3"],
        waitEvent: "Created",
        isInit: false,
        transient: { plain: ["t.json", "price=p"], base64: ["u.json", "v.json"] },
      },
    ],
    [
      "invoke asset -C c --init --args []",
      { chaincode: "asset", channel: "c", function: "", arguments: [], isInit: true, transient: undefined },
    ],
  ),
  query: table(
    transaction,
    [
      "query asset Read a1 -C c",
      { chaincode: "asset", channel: "c", function: "Read", arguments: ["a1"], transient: undefined },
    ],
    [
      'query asset -C c --args {"Args":["Read","a1"]} --org org2 --transient-file u.json --transient-base64-file t.json --timeout 7s',
      {
        chaincode: "asset",
        channel: "c",
        function: "Read",
        arguments: ["a1"],
        organization: "org2",
        transient: { plain: ["u.json"], base64: ["t.json"] },
      },
    ],
  ),
  "chaincode package": table(
    (command) => {
      const { label } = optionsOf<{ readonly label?: string }>(command);
      return { path: first(command), label, ...packageRequest(optionsOf(command)) };
    },
    ["chaincode package ./asset", { path: "./asset", label: undefined, offline: false }],
    [
      "chaincode package ./asset --no-bundle --list --why",
      { path: "./asset", label: undefined, bundle: false, offline: false },
    ],
    [
      "chaincode package ./asset -f asset.tar.gz --label asset_1 --language golang --build --bundle --include .npmrc --include a.pem,b.pem --offline",
      {
        path: "./asset",
        label: "asset_1",
        language: "golang",
        bundle: true,
        offline: true,
        include: [".npmrc", "a.pem", "b.pem"],
      },
    ],
  ),
  "chaincode list": asTyped(["chaincode list", { words: [] }], ["chaincode list -C c", { words: [], channel: "c" }]),
  "chaincode inspect": asTyped(
    ["chaincode inspect asset", { words: ["asset"] }],
    ["chaincode inspect asset -C c", { words: ["asset"], channel: "c" }],
  ),
  "chaincode logs": table(
    (command) => {
      const { channel, peer } = optionsOf<{ readonly channel?: string; readonly peer?: string }>(command);
      return { of: { name: first(command), channel, peer }, ...logsRequest(optionsOf(command)) };
    },
    [
      "chaincode logs asset",
      { of: { name: "asset", channel: undefined, peer: undefined }, follow: false, timestamps: false },
    ],
    [
      "chaincode logs asset -C c --peer peer0.org1 -f --tail 20 --timestamps",
      { of: { name: "asset", channel: "c", peer: "peer0.org1" }, follow: true, tailLines: 20, timestamps: true },
    ],
  ),
  "chaincode restart": asTyped(
    ["chaincode restart asset", { words: ["asset"], ...unplanned }],
    [
      "chaincode restart asset -C c --peer peer0.org1 --dry-run --timeout 7s",
      { words: ["asset"], channel: "c", peer: "peer0.org1", ...planned },
    ],
  ),
  "chaincode seed": table(
    (command) => seedRequest(command.args[0], optionsOf(command)),
    ["chaincode seed", {}],
    [
      "chaincode seed asset --orgs org1,org2 --orgs org3 --peers peer0.org1 --peers peer0.org2,peer0.org3 " +
        "--load-image a.tar --load-image b.tar --dry-run --timeout 7s",
      {
        name: "asset",
        organizations: ["org1", "org2", "org3"],
        peers: ["peer0.org1", "peer0.org2", "peer0.org3"],
        loadImage: ["a.tar", "b.tar"],
      },
    ],
  ),
};
