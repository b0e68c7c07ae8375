import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { extract, pack } from "tar-stream";
import { describe, expect, test } from "vitest";
import { builtLayer } from "../../../../../core/chaincode/seed/node-build.ts";
import { newSeeding } from "../../../../../core/chaincode/seed/seeding.ts";
import type { SeedPeer } from "../../../../../core/chaincode/image/seed-peer.ts";
import { EngineError, type Engine, type EngineRequest } from "../../../../../core/docker/engine.ts";
import { packChaincode } from "../../../../../core/fabric/package/chaincode-package.ts";

const { signal } = new AbortController();
const nodeenv = "hyperledger/fabric-nodeenv:2.5";

interface Written {
  readonly name: string;
  readonly type?: "file" | "directory" | "symlink" | "link" | "fifo";
  readonly mode?: number;
  readonly linkname?: string;
  readonly content?: string;
}

function tarOf(...entries: readonly Written[]): Readable {
  const tar = pack();
  for (const { content = "", type = "file", mode = 0o644, ...header } of entries) {
    tar.entry({ ...header, type, mode, mtime: new Date(1e12), uid: 7, gid: 8 }, content);
  }
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

async function read(layer: Readable): Promise<readonly string[]> {
  const tar = extract();
  tar.end(await buffer(layer));
  const entries: string[] = [];
  for await (const entry of tar) {
    const { name, mode, uid, gid, mtime, linkname } = entry.header;
    const content = linkname ? `-> ${linkname}` : JSON.stringify(await text(Readable.from(entry)));
    entries.push(`${mode.toString(8)} ${uid}:${gid} ${mtime.getTime()} ${name} ${content}`);
  }
  return entries;
}

describe("the layer of what was built", () => {
  test("is at the place where Fabric adds it, with modes, owners and links, at the time zero", async () => {
    const built = tarOf(
      { name: "./", type: "directory", mode: 0o755 },
      { name: "./index.js", content: "run()" },
      { name: "./empty" },
      { name: "./bin/start", mode: 0o755, content: "#!/bin/sh" },
      { name: "./bin/link", type: "symlink", linkname: "../index.js" },
      { name: "./bin/same", type: "link", linkname: "./index.js" },
      { name: `./${"long/".repeat(60)}name`, content: "x" },
    );
    expect(await read(builtLayer(built))).toEqual([
      '755 0:0 0 usr/ ""',
      '755 0:0 0 usr/local/ ""',
      '755 7:8 0 usr/local/src/ ""',
      '644 7:8 0 usr/local/src/index.js "run()"',
      '644 7:8 0 usr/local/src/empty ""',
      '755 7:8 0 usr/local/src/bin/start "#!/bin/sh"',
      "644 7:8 0 usr/local/src/bin/link -> ../index.js",
      "644 7:8 0 usr/local/src/bin/same -> usr/local/src/index.js",
      `644 7:8 0 usr/local/src/${"long/".repeat(60)}name "x"`,
    ]);
  });

  test.each<[string, Written]>([
    ["a name above it", { name: "../../etc/passwd", content: "x" }],
    ["the folder above it", { name: "..", type: "directory" }],
    ["a link to a file above it", { name: "./a", type: "link", linkname: "../../bin/sh" }],
    ["a device", { name: "./a", type: "fifo" }],
  ])("never has %s", async (_, entry) => {
    await expect(buffer(builtLayer(tarOf(entry)))).rejects.toMatchObject({ code: "invalid" });
  });

  test("fails with what it comes from", async () => {
    const cut = async function* () {
      yield Buffer.alloc(100);
      throw new Error("the connection is gone");
    };
    await expect(buffer(builtLayer(Readable.from(cut(), { objectMode: false })))).rejects.toThrow(/connection is gone/);
  });
});

/** A daemon that knows the image to build with, and whose builds end like this. */
function daemon(build: { readonly status?: number; readonly output?: string; readonly refuses?: string }) {
  const images = new Map<string, { readonly Id: string; readonly layers: readonly string[] }>([
    [nodeenv, { Id: "sha256:base", layers: [`sha256:${"1".repeat(64)}`] }],
  ]);
  const calls: string[] = [];
  const containers = new Set<string>();
  const answer = ({ method, path }: EngineRequest): unknown => {
    calls.push(`${method} ${path}`);
    if (path === build.refuses) throw new EngineError(403, "not here", "the daemon");
    if (path === "/version") return { Arch: "amd64" };
    if (path === "/containers/create") {
      containers.add("c1");
      return { Id: "c1" };
    }
    if (path === "/containers/c1/wait") return { StatusCode: build.status ?? 0 };
    if (method === "DELETE") return void containers.delete("c1");
    if (path === "/images/json") return [...images.values()].map(({ Id }) => ({ Id, RepoTags: [] }));
    const name = /^\/images\/(.*)\/json$/.exec(path)?.[1];
    if (name === undefined) return undefined;
    const image = images.get(name) ?? [...images.values()].find(({ Id }) => Id === name);
    if (!image) throw new EngineError(404, "No such image", "the daemon");
    return { Id: image.Id, Architecture: "amd64", Os: "linux", RootFS: { Layers: image.layers } };
  };
  const load = async (body: Readable): Promise<void> => {
    const tar = extract();
    tar.end(await buffer(body));
    const files = new Map<string, string>();
    for await (const entry of tar) files.set(entry.header.name, await text(Readable.from(entry)));
    const [manifest] = JSON.parse(files.get("manifest.json") ?? "[]") as [{ Config: string; RepoTags: [string] }];
    const config = files.get(manifest.Config) ?? "";
    const { rootfs } = JSON.parse(config) as { readonly rootfs: { readonly diff_ids: readonly string[] } };
    const Id = `sha256:${createHash("sha256").update(config).digest("hex")}`;
    for (const name of [manifest.RepoTags[0], manifest.RepoTags[0].replace(/:latest$/, "")]) {
      images.set(name, { Id, layers: rootfs.diff_ids });
    }
  };
  const engine: Engine = {
    target: { namespace: "", pod: "", container: "" },
    call: async (request) => {
      if (request.body instanceof Readable) await buffer(request.body);
      return answer(request);
    },
    stream: async (request) => {
      answer(request);
      if (request.path === "/images/load") await load(request.body as Readable);
      const log = request.path.endsWith("/logs") ? [Buffer.from(framed(build.output ?? ""))] : [];
      const archive = request.path.endsWith("/archive") ? tarOf({ name: "./index.js", content: "built" }) : undefined;
      const headers = { "content-type": "application/vnd.docker.multiplexed-stream" };
      return Object.assign(archive ?? Readable.from(log, { objectMode: false }), { headers }) as never;
    },
    close: () => {},
  };
  return { engine, calls, containers };
}

function framed(output: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(1, 0);
  header.writeUInt32BE(Buffer.byteLength(output), 4);
  return Buffer.concat([header, Buffer.from(output)]);
}

describe("a build in one daemon", () => {
  const peerOf = (host: string, { engine }: ReturnType<typeof daemon>): SeedPeer => ({
    host,
    names: () => Promise.resolve({ networkId: "dev", peerId: host }),
    buildSettings: () => Promise.resolve({ nodeRuntime: nodeenv, version: "v3.1.5" }),
    withDaemon: (_, use) => use({ engine, run: () => Promise.reject(new Error("nothing to run")) }),
  });
  const files = { "src/package.json": `{"scripts":{"prepare":"tsc"}}` };

  async function seedingOf(...peers: readonly SeedPeer[]) {
    const content = Object.entries(files).map(([name, json]) => ({ name, content: Buffer.from(json) }));
    const pkg = await packChaincode({ path: "", type: "node", label: "a" }, content);
    return newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg) }, peers);
  }

  test("gives the image to all, as Fabric's build would, and leaves no container", async () => {
    const daemons = [daemon({ output: "added\n\u001b[31m12 packages\n" }), daemon({})] as const;
    const [one, other] = [peerOf("a", daemons[0]), peerOf("b", daemons[1])];
    const seeding = await seedingOf(one, other);
    const told: string[] = [];
    const context = { signal, progress: (line: string) => void told.push(line) };
    const never = () => Promise.reject(new Error("the peer was to build it"));
    const provisions = await Promise.all([one, other].map((peer) => seeding.provide(peer, context, never)));
    await seeding.close();
    expect(provisions).toMatchObject([{ how: "prebuilt" }, { how: "copied", from: "a" }]);
    expect(told).toContain("builds: [31m12 packages");
    expect(daemons.map(({ containers }) => containers.size)).toEqual([0, 0]);
    expect(daemons[0].calls.filter((call) => call.includes("/containers/"))).toEqual([
      "POST /containers/create",
      "PUT /containers/c1/archive",
      "POST /containers/c1/start",
      "GET /containers/c1/logs",
      "POST /containers/c1/wait",
      "GET /containers/c1/archive",
      "DELETE /containers/c1",
    ]);
    expect(daemons[1].calls.filter((call) => call.includes("/containers/"))).toEqual([]);
  });

  test("that fails is told in the build's own words, and tried nowhere else", async () => {
    const daemons = [daemon({ status: 2, output: "npm ERR! no tsc\n" }), daemon({})] as const;
    const [one, other] = [peerOf("a", daemons[0]), peerOf("b", daemons[1])];
    const seeding = await seedingOf(one, other);
    const context = { signal, progress: () => {} };
    const never = () => Promise.reject(new Error("the peer was to build it"));
    const [first, second] = await Promise.allSettled([one, other].map((p) => seeding.provide(p, context, never)));
    await seeding.close();
    expect(first).toMatchObject({ reason: { message: expect.stringMatching(/ended with 2:\n {2}npm ERR! no tsc/) } });
    expect(second).toMatchObject({ reason: { message: "the build on a failed, and would here" } });
    expect(daemons[0].containers.size).toBe(0);
    expect(daemons[1].calls.filter((call) => call.includes("/containers/"))).toEqual([]);
  });

  test.each(["/containers/create", "/containers/c1/archive", "/containers/c1/start"])(
    "is the peer's own where the daemon refuses %s",
    async (refuses) => {
      const refusing = daemon({ refuses });
      const one = peerOf("a", refusing);
      const seeding = await seedingOf(one);
      let built = 0;
      const own = () => Promise.resolve(void built++);
      expect(await seeding.provide(one, { signal, progress: () => {} }, own)).toEqual({ how: "built" });
      await seeding.close();
      expect(built).toBe(1);
      expect(refusing.containers.size).toBe(0);
    },
  );
});
