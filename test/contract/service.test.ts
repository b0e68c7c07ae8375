import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { approve, commit, install, joinAll, readiness } from "../integration/emulator/network/actions.ts";
import { hear, unheard } from "../integration/emulator/network/answers.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { newProcess, type NodeProcess } from "../integration/emulator/network/processes.ts";
import { compareAnswers } from "./answers/recording.ts";
import { newChaincodeServer, type Variant } from "./chaincode-server.ts";
import { assetFolder, assetTransfer } from "./chaincode.ts";
import { columns, startColumn } from "./column.ts";

const utf8 = new TextDecoder();

describe.each(columns)("$name", (column) => {
  let network: Network;
  let org1: PeerNode;
  let org2: PeerNode;
  const servers: NodeProcess[] = [];

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (column.missing !== undefined) return;
    await assetTransfer("asset"); // its dependencies
    network = await startColumn(column, "programs", {
      CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG: JSON.stringify({ peername: "localhost" }),
    });
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    await joinAll(network);
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await network?.stop();
  });

  /** A chaincode server with keys of one organization, not yet started, and the package that leads to it. */
  const serverFor = async (
    name: string,
    node: PeerNode,
    variant: Variant,
  ): Promise<{ readonly server: NodeProcess; readonly pkg: ChaincodePackage }> => {
    const { pkg, environment, command } = await newChaincodeServer(network.directory, name, node, variant);
    const [, ...words] = command;
    const script = `cd ${assetFolder} && exec ${process.execPath} ${words.join(" ")}`;
    const server = newProcess(["/bin/sh", "-c", script], environment, /Bootstrap process completed|server/i);
    servers.push(server);
    return { server, pkg };
  };

  const deployed = async (name: string, variant: Variant = {}): Promise<readonly NodeProcess[]> => {
    const definition = { name, version: "1", sequence: 1 };
    const parts = await Promise.all([org1, org2].map((node) => serverFor(name, node, variant)));
    for (const [index, node] of [org1, org2].entries()) {
      const { server, pkg } = parts[index] as (typeof parts)[number];
      await server.start();
      expect((await install(node, pkg.bytes)).getStatus()).toBe(200);
      await approve(node, definition, pkg.id);
    }
    expect(new Set(parts.map(({ pkg }) => pkg.id)).size).toBe(2);
    await eventually("both approvals", async () =>
      [...(await readiness(org1, definition)).values()].every(Boolean) ? true : undefined,
    );
    await eventually("the commit", () =>
      commit(org1, definition, ["Org1MSP", "Org2MSP"]).then(
        () => true,
        () => undefined,
      ),
    );
    return parts.map(({ server }) => server);
  };

  const read = async (node: PeerNode, name: string): Promise<readonly [number, string]> => {
    const answer = await unheard(() => propose(node, { chaincode: name, channelId, args: ["ListAssets", "", ""] }));
    const response = answer.getResponse();
    const status = response?.getStatus() ?? 0;
    const text = response?.getMessage() || utf8.decode(response?.getPayload_asU8());
    // Peers start what was committed by themselves, and add this when a call finds them at it.
    hear(`${name} ListAssets`, { status, text: text.replace("chaincode registration failed: ", "") }, node.address);
    return [status, text];
  };
  const answers = (node: PeerNode, name: string): Promise<true> =>
    eventually("an answer", async () => ((await read(node, name))[0] === 200 ? true : undefined));

  describe.skipIf(column.missing)("chaincode as a service with TLS", () => {
    test("answers each organization under its own package", async () => {
      await deployed("tls");
      expect(await answers(org1, "tls")).toBe(true);
      expect(await answers(org2, "tls")).toBe(true);
    });

    test("answers peers that show their certificate where it asks for one", async () => {
      await deployed("mutual", { clientAuth: true });
      expect(await answers(org1, "mutual")).toBe(true);
    });

    test("does not answer peers that show none", async () => {
      await deployed("anonymous", { clientAuth: true, withoutClientKey: true });
      const [status, message] = await read(org1, "anonymous");
      expect([status, message]).toEqual([500, expect.stringContaining("could not launch chaincode anonymous:")]);
    });

    test("is not trusted when another authority has signed its certificate", async () => {
      await deployed("foreign", { root: network.ordererOrganization.tlsCa.certificate });
      const [status, message] = await read(org1, "foreign");
      expect([status, message]).toEqual([500, expect.stringContaining("could not launch chaincode foreign:")]);
    });

    test("is not trusted when its certificate is for another name", async () => {
      await deployed("misnamed", { hosts: ["asset.org1"] });
      const [status, message] = await read(org1, "misnamed");
      expect([status, message]).toEqual([500, expect.stringContaining("could not launch chaincode misnamed:")]);
    });

    test("is found by a name that each peer fills in", async () => {
      await deployed("filled", { host: "{{.peername}}" });
      expect(await answers(org1, "filled")).toBe(true);
    });

    test("is dialled again when it comes back", async () => {
      const [server] = await deployed("again");
      expect(await answers(org1, "again")).toBe(true);
      await server?.kill();
      const broken = await eventually("the end of the connection", async () => {
        // What the first call that fails meets depends on when the peer saw the end.
        const found = await unheard(() => read(org1, "again"));
        return found[0] === 500 ? found : undefined;
      });
      expect(broken[1]).toContain("again");
      await server?.start();
      expect(await answers(org1, "again")).toBe(true);
    });
  });
});
