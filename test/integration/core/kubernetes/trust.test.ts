// Whom a client trusts that is told no authority, or one that others have issued.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { newCluster } from "../../../../core/kubernetes/cluster.ts";
import { loadKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";
import { answerJson } from "./api-server.ts";
import { pairFor } from "./recording-servers.ts";
import { tlsServer } from "./tls-server.ts";

async function kubeconfigFor(url: string, authority: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "trust-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const named = (kind: string, name: string, value: object) => [{ name, [kind]: value }];
  const config = {
    "current-context": "lab",
    clusters: named("cluster", "lab", { server: url, ...authority }),
    users: named("user", "ann", { token: "t" }),
    contexts: named("context", "lab", { cluster: "lab", user: "ann" }),
  };
  await writeFile(join(folder, "config"), JSON.stringify(config));
  return join(folder, "config");
}

const version = (kubeconfig: string) => {
  const cluster = newCluster(loadKubeconfig({ kubeconfig, env: {} }));
  return cluster.call({ method: "GET", path: "/version" }).finally(() => cluster.close());
};

test("of no authority: that of the system, where SSL_CERT_FILE names it, too", async () => {
  const { url, caData } = await tlsServer((_, response) => answerJson(response, { gitVersion: "v1.33.0" }));
  const kubeconfig = await kubeconfigFor(url, {});
  const known = `${kubeconfig}.pem`;
  await writeFile(known, Buffer.from(caData, "base64"));
  // The system's authorities are read once in a process.
  const script = `
    import { newCluster } from "./core/kubernetes/cluster.ts";
    import { loadKubeconfig } from "./core/kubernetes/kubeconfig.ts";
    const cluster = newCluster(loadKubeconfig({ kubeconfig: ${JSON.stringify(kubeconfig)} }));
    console.log(JSON.stringify(await cluster.call({ method: "GET", path: "/version" })));
    cluster.close();`;
  const read = (env: object) =>
    promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      env: { PATH: process.env["PATH"], ...env },
    });
  expect(JSON.parse((await read({ SSL_CERT_FILE: known })).stdout)).toEqual({ gitVersion: "v1.33.0" });
  await expect(read({})).rejects.toThrow('a certificate that context "lab" does not trust');
});

test("of one that another has issued: that one, as Go does", async () => {
  const { url, caData } = await tlsServer(
    (_, response) => answerJson(response, { gitVersion: "v1.33.0" }),
    undefined,
    await pairFor("root"),
  );
  const told = await kubeconfigFor(url, { "certificate-authority-data": caData });
  expect(await version(told)).toEqual({ gitVersion: "v1.33.0" });
  const other = await kubeconfigFor(url, {
    "certificate-authority-data": Buffer.from((await pairFor("other")).cert).toString("base64"),
  });
  await expect(version(other)).rejects.toThrow('a certificate that context "lab" does not trust');
});
