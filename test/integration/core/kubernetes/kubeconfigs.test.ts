import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { newCluster } from "../../../../core/kubernetes/cluster.ts";
import { loadKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";
import { kubeconfigs, type Row } from "./kubeconfigs.ts";
import { pairFor, startRecordingServers, type Sent } from "./recording-servers.ts";

const servers = await startRecordingServers();
afterAll(() => servers.close());
const rows = kubeconfigs({ ...servers, ann: await pairFor("ann"), other: await pairFor("other") });

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "kubeconfigs-"))));
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Row["files"]): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    if (content.startsWith("#!")) await chmod(file, 0o755);
  }
}

function argumentsOf({ files, kubeconfig, context, env = {} }: Row) {
  const own = Object.entries(env).map(([name, value]) => [name, value.replaceAll("{}", folder)] as const);
  const isFound = "KUBECONFIG" in env || ".kube/config" in files;
  return {
    ...(kubeconfig === undefined && isFound ? {} : { kubeconfig: join(folder, kubeconfig ?? "config") }),
    ...(context === undefined ? {} : { context }),
    env: { PATH: process.env["PATH"], HOME: folder, ...Object.fromEntries(own) },
  };
}

/** What a plugin was told, which it gave as its token: decoded, so that the order of fields does not count. */
function withTold(sent: Sent): Sent {
  const [, information] = /^Bearer told\.(.*)$/.exec(sent.authorization ?? "") ?? [];
  if (information === undefined) return sent;
  const { apiVersion, kind, spec } = JSON.parse(Buffer.from(information, "base64").toString()) as Record<
    string,
    object
  >;
  return { ...sent, authorization: `Bearer told ${JSON.stringify({ apiVersion, kind, spec })}` };
}

const arrived = ({ sends = {} }: Row): Sent => ({ path: "/version", ...sends });

test.each(Object.entries(rows).filter(([, row]) => row.sends !== undefined))(
  "%s: a read, a write and a WebSocket carry what kubectl sends",
  async (_, row) => {
    await write(row.files);
    const cluster = newCluster(loadKubeconfig({ serviceAccount: folder, ...argumentsOf(row) }));
    try {
      await cluster.call({ method: "GET", path: "/version" });
      await cluster.call({ method: "POST", path: "/version", body: {} });
      await expect(cluster.webSocket("/version", {}, ["v5.channel.k8s.io"])).rejects.toMatchObject({ httpStatus: 403 });
    } finally {
      cluster.close();
    }
    expect(servers.taken().map(withTold)).toEqual([arrived(row), arrived(row), arrived(row)]);
  },
);

test.each(Object.entries(rows).filter(([, row]) => row.refused !== undefined))(
  "%s: is refused, and nothing is sent",
  async (_, row) => {
    await write(row.files);
    const refused = (async () => {
      const cluster = newCluster(loadKubeconfig({ serviceAccount: folder, ...argumentsOf(row) }));
      return cluster.call({ method: "GET", path: "/version" }).finally(() => cluster.close());
    })();
    await expect(refused).rejects.toMatchObject({
      name: "FabricError",
      message: expect.stringMatching(row.refused ?? /none/) as string,
    });
    expect(servers.taken()).toEqual([]);
  },
);

// The table itself, by a kubectl that somebody has (not gcloud's /usr/bin/kubectl, which asks before the right one does):
//   KUBECTL=/usr/local/bin/kubectl npm run test:integration -- kubeconfigs
const { KUBECTL: kubectl } = process.env;
const alike = Object.entries(rows).filter(([, row]) => row.kubectl === undefined);
test.runIf(kubectl).each(alike)("kubectl: %s", async (_, row) => {
  await write(row.files);
  const { kubeconfig, context, env } = argumentsOf(row);
  const flags = [...(kubeconfig ? ["--kubeconfig", kubeconfig] : []), ...(context ? ["--context", context] : [])];
  const ran = promisify(execFile)(kubectl ?? "", [...flags, "version"], { env, cwd: folder });
  ran.child.stdin?.end();
  const isDone = await ran.then(
    () => true,
    () => false,
  );
  const sent = servers.taken().map(withTold);
  expect({ isDone, sent }).toEqual({ isDone: row.refused === undefined, sent: row.refused ? [] : [arrived(row)] });
});
