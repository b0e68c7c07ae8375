import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { answerJson } from "./api-server.ts";
import { tlsServer } from "./tls-server.ts";

/** Says where to sign in, and waits until that is done. */
const login = `#!/bin/sh
echo "enter the code QRST-1234" >&2
while [ ! -e signed-in ]; do sleep 0.05; done
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"signed-in"}}'
`;

test("what a credential plugin says to a person is shown while it waits for them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "plugin-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const carried: (string | undefined)[] = [];
  const { url, caData } = await tlsServer(({ headers }, response) => {
    carried.push(headers.authorization);
    answerJson(response, { kind: "Status", code: 403, reason: "Forbidden", message: "no" }, 403);
  });
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "./login", interactiveMode: "IfAvailable" };
  const kubeconfig = {
    clusters: [{ name: "c", cluster: { server: url, "certificate-authority-data": caData } }],
    users: [{ name: "ann", user: { exec } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "ann" } }],
    "current-context": "c",
  };
  await writeFile(join(folder, "config"), JSON.stringify(kubeconfig));
  await writeFile(join(folder, "login"), login);
  await chmod(join(folder, "login"), 0o755);

  const program = join(import.meta.dirname, "../../../../plugin/main.ts");
  const child = spawn(process.execPath, [program, "--kubeconfig", "config", "status"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "close");
  let shown = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (shown += text));
  while (!shown.includes("QRST-1234\n")) await once(child.stderr, "data");
  expect(carried).toEqual([]);
  await writeFile(join(folder, "signed-in"), "");
  await exited;
  expect(new Set(carried)).toEqual(new Set(["Bearer signed-in"]));
});
