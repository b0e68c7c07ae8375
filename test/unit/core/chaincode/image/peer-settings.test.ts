import { describe, expect, test } from "vitest";
import { buildSettings, peerNames } from "../../../../../core/chaincode/image/peer-settings.ts";
import type { V1EnvVar } from "../../../../../core/kubernetes/client-node.ts";

interface Inside {
  readonly variables?: Readonly<Record<string, string>>;
  readonly file?: string;
  readonly version?: string;
}

const look = ({ variables = {}, file, version }: Inside) => ({
  variable: (name: string) => Promise.resolve(variables[name]),
  coreYaml: () => Promise.resolve(file),
  version: () => Promise.resolve(version),
});
const container = (...env: V1EnvVar[]) => ({ name: "peer", env });
const both = [
  { name: "CORE_PEER_ID", value: "peer0" },
  { name: "CORE_PEER_NETWORKID", value: "net" },
];

describe("the names of a peer", () => {
  test.each<[string, readonly V1EnvVar[], Inside, object]>([
    ["literals", both, {}, { networkId: "net", peerId: "peer0" }],
    ["the last of several", [...both, { name: "CORE_PEER_ID", value: "b" }], {}, { networkId: "net", peerId: "b" }],
    [
      "valueFrom and envFrom, asked of the container",
      [{ name: "CORE_PEER_ID", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      { variables: { CORE_PEER_ID: "peer0-0", CORE_PEER_NETWORKID: "net" } },
      { networkId: "net", peerId: "peer0-0" },
    ],
    [
      "a reference to another variable",
      [
        { name: "CORE_PEER_ID", value: "$(POD).x" },
        { name: "CORE_PEER_NETWORKID", value: "n" },
      ],
      { variables: { CORE_PEER_ID: "p.x" } },
      { networkId: "n", peerId: "p.x" },
    ],
    ["core.yaml", [], { file: "peer:\n  id: jdoe\n  networkId: dev\n" }, { networkId: "dev", peerId: "jdoe" }],
    [
      "an empty variable counts as none",
      [
        { name: "CORE_PEER_NETWORKID", value: "" },
        { name: "CORE_PEER_ID", value: "p" },
      ],
      { file: "peer: {id: 7, networkId: dev}" },
      { networkId: "dev", peerId: "p" },
    ],
  ])("%s", async (_, env, inside, names) => {
    expect(await peerNames(container(...env), "peer0.org1", look(inside))).toEqual(names);
  });

  test.each<[string, Inside]>([
    ["nothing", {}],
    ["a core.yaml that is none", { file: "- {" }],
    ["only one of them", { file: "peer: {networkId: dev}" }],
  ])("that cannot be told: %s", async (_, inside) => {
    await expect(peerNames(container(), "peer0.org1", look(inside))).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("CORE_PEER_ID of peer0.org1") as string,
      hint: expect.stringContaining("env of the peer's container") as string,
    });
  });
});

describe("what a peer builds with", () => {
  const version = "peer:\n Version: v3.1.5\n Commit SHA: 1\n";
  test.each<[string, readonly V1EnvVar[], Inside, object]>([
    ["nothing said", [], {}, { version: "", nodeRuntime: "hyperledger/fabric-nodeenv:2.5" }],
    [
      "core.yaml",
      [],
      { version, file: "chaincode: {node: {runtime: $(DOCKER_NS)/fabric-nodeenv:$(TWO_DIGIT_VERSION)}}" },
      { version: "v3.1.5", nodeRuntime: "hyperledger/fabric-nodeenv:3.1" },
    ],
    [
      "a variable",
      [{ name: "CORE_CHAINCODE_NODE_RUNTIME", value: "registry:5000/fabric-nodeenv:x" }],
      { version },
      { version: "v3.1.5", nodeRuntime: "registry:5000/fabric-nodeenv:x" },
    ],
  ])("%s", async (_, env, inside, settings) => {
    expect(await buildSettings(container(...env), look(inside))).toEqual(settings);
  });
});
