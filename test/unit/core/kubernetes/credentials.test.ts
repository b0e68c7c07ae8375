import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askPlugin } from "../../../../core/kubernetes/credential-plugin.ts";
import { Credentials } from "../../../../core/kubernetes/credentials.ts";
import { readKubeconfigFile } from "../../../../core/kubernetes/kubeconfig-file.ts";
import { chooseContext, loadKubeconfig } from "../../../../core/kubernetes/kubeconfig.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "credentials-"))));
afterEach(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);

const apiVersion = "client.authentication.k8s.io/v1";

/** The kubeconfig lies in the folder. */
function loadedWith(user: object) {
  const content = JSON.stringify({
    clusters: [{ name: "c", cluster: { server: "https://api:6443" } }],
    users: [{ name: "ann", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "ann" } }],
  });
  return chooseContext([readKubeconfigFile(content, file("config"))], { name: "c", env: process.env });
}

/** A script that adds a line to "runs", and whose token is the number of its runs. */
function plugin(status = "", more: object = {}) {
  const token = `$(grep -c . ${file("runs")})`;
  const answer = `{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"t%d"${status}}}`;
  writeFileSync(
    file("login"),
    `#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> ${file("runs")}\nprintf '${answer}' ${token}\n`,
  );
  chmodSync(file("login"), 0o755);
  return { exec: { apiVersion, command: "./login", interactiveMode: "IfAvailable", ...more } };
}
const runs = () => readFileSync(file("runs"), "utf8").trim().split("\n");

describe("a token in a file", () => {
  const atStart = Date.UTC(2026, 0, 1);
  let now: number;
  beforeEach(() => void (now = atStart));
  const credentials = (user: object = { tokenFile: "token" }) => new Credentials(loadedWith(user), () => now);

  test("is read again a minute less 10 s later, as the kubelet renews it", async () => {
    writeFileSync(file("token"), "one\n");
    const ann = credentials();
    expect(await ann.get()).toEqual({ authorization: "Bearer one" });
    writeFileSync(file("token"), "two\n");
    now += 49_999;
    expect(await ann.get()).toEqual({ authorization: "Bearer one" });
    now += 1;
    expect(await ann.get()).toEqual({ authorization: "Bearer two" });
  });

  test("is read again at once when it is refused", async () => {
    writeFileSync(file("token"), "one");
    const ann = credentials();
    const one = await ann.get();
    expect(await ann.renewed(one)).toBeUndefined();
    writeFileSync(file("token"), "two");
    expect(await ann.renewed(one)).toEqual({ authorization: "Bearer two" });
  });

  test("stays while its file cannot be read", async () => {
    writeFileSync(file("token"), "one");
    const ann = credentials();
    await ann.get();
    rmSync(file("token"));
    now += 60_000;
    expect(await ann.get()).toEqual({ authorization: "Bearer one" });
  });

  test("is the Pod's", async () => {
    writeFileSync(file("token"), "of-the-pod");
    writeFileSync(file("namespace"), "org1\n");
    const env = { HOME: folder, KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "8080" };
    const pod = loadKubeconfig({ env, serviceAccount: folder });
    expect(pod).toMatchObject({ server: "https://[fd00::1]:8080", namespace: "org1", user: "inClusterUser" });
    const account = new Credentials(pod, () => now);
    const first = await account.get();
    expect(first).toEqual({ authorization: "Bearer of-the-pod" });
    writeFileSync(file("token"), "renewed");
    expect(await account.renewed(first)).toEqual({ authorization: "Bearer renewed" });
  });
});

describe("a credential plugin", () => {
  test("is asked once for all that wait, and not again until its answer expires", async () => {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const ann = new Credentials(loadedWith(plugin(',"expirationTimestamp":"2026-01-01T01:00:00+00:00"')), () => now);
    const answers = await Promise.all([ann.get(), ann.get(), ann.get()]);
    expect(answers.map(({ authorization }) => authorization)).toEqual(["Bearer t1", "Bearer t1", "Bearer t1"]);
    now += 3_600_000;
    expect(await ann.get()).toEqual({ authorization: "Bearer t1" });
    now += 1;
    expect(await ann.get()).toEqual({ authorization: "Bearer t2" });
    expect(runs()).toHaveLength(2);
  });

  test("is asked once when several requests were refused", async () => {
    const ann = new Credentials(loadedWith(plugin()));
    const refused = await ann.get();
    const renewed = await Promise.all([ann.renewed(refused), ann.renewed(refused)]);
    expect(renewed).toEqual([{ authorization: "Bearer t2" }, { authorization: "Bearer t2" }]);
  });

  test.each([
    ["IfAvailable", true, true],
    ["IfAvailable", false, false],
    ["Always", true, true],
    ["Never", true, false],
  ])("%s with a terminal: %s, gets it: %s", async (interactiveMode, isTerminal, interactive) => {
    const loaded = loadedWith(plugin("", { interactiveMode }));
    await askPlugin(loaded.credentials.exec ?? {}, loaded, undefined, isTerminal);
    expect(runs().map((line) => JSON.parse(line) as unknown)).toEqual([
      { kind: "ExecCredential", apiVersion, spec: { interactive } },
    ]);
  });

  test("is ended with the command", async () => {
    const interrupt = new AbortController();
    const loaded = loadedWith({ exec: { apiVersion, command: "sleep", args: ["3600"], interactiveMode: "Never" } });
    const asked = new Credentials(loaded).get(interrupt.signal);
    interrupt.abort();
    await expect(asked).rejects.toMatchObject({ code: "interrupted" });
  });

  test("goes on while somebody waits for it, is ended when nobody does, and is asked anew by who comes then", async () => {
    const answer = `{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"t"}}`;
    const script = `echo run >> runs; while [ ! -e go ]; do sleep 0.05; done; echo '${answer}'`;
    const loaded = loadedWith({
      exec: { apiVersion, command: "sh", args: ["-c", `cd ${folder}; ${script}`], interactiveMode: "Never" },
    });
    const ann = new Credentials(loaded);
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    const both = [ann.get(first.signal), ann.get(second.signal)];
    const ended = Promise.allSettled(both);
    await expect.poll(() => existsSync(file("runs")), { timeout: 30_000 }).toBe(true);
    first.abort();
    second.abort();
    expect((await ended).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(both[1]).rejects.toMatchObject({ code: "interrupted" });
    const [left, stays] = [ann.get(third.signal), ann.get()];
    third.abort();
    writeFileSync(file("go"), "");
    expect(await Promise.all([left, stays])).toEqual([{ authorization: "Bearer t" }, { authorization: "Bearer t" }]);
    expect(await ann.get(first.signal)).toEqual({ authorization: "Bearer t" });
    expect(runs()).toEqual(["run", "run"]);
  });

  test("that does not stop to talk is ended", async () => {
    const loaded = loadedWith({ exec: { apiVersion, command: "yes", interactiveMode: "Never" } });
    await expect(new Credentials(loaded).get()).rejects.toMatchObject({
      code: "forbidden",
      message:
        'expected credentials for user "ann", the credential plugin yes failed: it answered with more than 1048576 bytes',
    });
  });

  test("that is not there is told with what the kubeconfig says of it", async () => {
    const exec = { apiVersion, command: "no-such-login", interactiveMode: "Never", installHint: "brew install login" };
    await expect(new Credentials(loadedWith({ exec })).get()).rejects.toMatchObject({ hint: "brew install login" });
  });
});
