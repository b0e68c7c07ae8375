import { spawn } from "node:child_process";
import { isatty } from "node:tty";
import { FabricError, messageOf } from "../error.ts";
import { parseAsGo } from "./go-yaml.ts";
import { read } from "./kubeconfig-check.ts";
import type { ClusterFields, ExecFields } from "./kubeconfig-file.ts";
import type { LoadedKubeconfig } from "./kubeconfig.ts";

/** What a credential plugin answered (KEP-541, ExecCredentialStatus). */
export interface PluginAnswer {
  readonly token?: string | undefined;
  /** PEM, both or none. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** When another has to be asked for, in milliseconds since 1970. */
  readonly expires: number;
}

/** Far more than tokens and certificates take. */
const mostBytes = 1024 * 1024;

/** What `kubectl` tells a plugin about its cluster under this name (client-go tools/clientcmd/client_config.go). */
const execExtension = "client.authentication.k8s.io/exec";

/**
 * Runs a kubeconfig's credential plugin as client-go does (plugin/pkg/client/auth/exec/exec.go): its standard error is ours, so that what it
 * says to a person is seen at once; it gets the terminal where there is one and interactiveMode allows. The signal ends it.
 * Throws an Error that says what the plugin did instead.
 */
export async function askPlugin(
  exec: ExecFields,
  loaded: LoadedKubeconfig,
  signal: AbortSignal | undefined,
  isTerminal = isatty(0),
): Promise<PluginAnswer> {
  const interactive = isTerminal && exec.interactiveMode !== "Never";
  if (exec.interactiveMode === "Always" && !isTerminal) {
    throw new Error("it wants a terminal as standard input (interactiveMode: Always), and there is none");
  }
  return answerOf(await run(exec, environment(exec, loaded, interactive), interactive, signal), exec.apiVersion ?? "");
}

function environment(exec: ExecFields, loaded: LoadedKubeconfig, interactive: boolean): NodeJS.ProcessEnv {
  const own = (exec.env ?? []).map(({ name = "", value = "" }) => [name, value] as const);
  const cluster = exec.provideClusterInfo ? clusterInfo(loaded.cluster) : undefined;
  const info = { kind: "ExecCredential", apiVersion: exec.apiVersion, spec: { cluster, interactive } };
  return { ...loaded.env, ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

/** client-go rest/exec.go, ConfigToExecCluster; the proxy is the kubeconfig's alone. */
function clusterInfo(cluster: ClusterFields): object {
  const file = cluster["certificate-authority"];
  const authority =
    cluster["certificate-authority-data"] ?? (file === undefined ? undefined : read(file, "certificate-authority"));
  return {
    server: cluster.server,
    "tls-server-name": cluster["tls-server-name"],
    "insecure-skip-tls-verify": cluster["insecure-skip-tls-verify"] || undefined,
    "certificate-authority-data": authority?.toString("base64"),
    "proxy-url": cluster["proxy-url"],
    "disable-compression": cluster["disable-compression"] || undefined,
    config: cluster.extensions?.get(execExtension) ?? null,
  };
}

async function run(
  { command = "", args = [] }: ExecFields,
  env: NodeJS.ProcessEnv,
  interactive: boolean,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, [...args], {
    env,
    signal,
    stdio: [interactive ? "inherit" : "ignore", "pipe", "inherit"],
  });
  const said: Buffer[] = [];
  let bytes = 0;
  child.stdout.on("data", (data: Buffer) => {
    said.push(data);
    bytes += data.length;
    if (bytes > mostBytes) child.kill();
  });
  child.once("error", (error) =>
    reject("code" in error && error.code === "ENOENT" ? new Error("it was not found") : error),
  );
  child.once("close", (code, ended) => {
    if (bytes > mostBytes) reject(new Error(`it answered with more than ${mostBytes} bytes`));
    else if (code === 0) resolve(Buffer.concat(said).toString("utf8"));
    else reject(new Error(code === null ? `it was ended by ${ended}` : `it ended with exit code ${code}`));
  });
  return promise;
}

function answerOf(text: string, apiVersion: string): PluginAnswer {
  const answer = parsed(text);
  if ((answer["kind"] ?? "ExecCredential") !== "ExecCredential" || answer["apiVersion"] !== apiVersion) {
    throw new Error(
      `expected an ExecCredential of ${apiVersion} on its standard output, found ${String(answer["kind"])} of ${String(answer["apiVersion"])}`,
    );
  }
  const status = fieldsOf(answer["status"], "status");
  const [token, cert, key] = ["token", "clientCertificateData", "clientKeyData"].map((name) => textOf(status, name));
  if (token === undefined && cert === undefined && key === undefined) {
    throw new Error("expected a token or a certificate in its status, found neither");
  }
  if ((cert === undefined) !== (key === undefined))
    throw new Error("expected a certificate and its key, found only one");
  return { token, cert, key, expires: expiryOf(textOf(status, "expirationTimestamp")) };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    // JSON is YAML, and client-go takes both.
    return fieldsOf(parseAsGo(text), "its answer");
  } catch (cause) {
    // Not what it answered: that may be a token.
    throw new Error(
      `expected an ExecCredential on its standard output, found ${text.trim() === "" ? "nothing" : "something else"}`,
      {
        cause,
      },
    );
  }
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`expected fields in ${what}, found none`);
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") return value;
  throw new Error(`expected text in status.${name}, found a ${typeof value}`);
}

function expiryOf(time: string | undefined): number {
  if (time === undefined) return Infinity;
  const expires = /^\d{4}-\d\d-\d\dT/.test(time) ? Date.parse(time) : NaN;
  if (!Number.isNaN(expires)) return expires;
  throw new Error("expected a time (RFC 3339) in status.expirationTimestamp, found something else");
}

/** The failure of a plugin as the user meets it. What the plugin wrote to standard error has been seen already. */
export function pluginFailure(cause: unknown, { command = "", installHint }: ExecFields, user: string): FabricError {
  const isMissing = messageOf(cause) === "it was not found";
  return new FabricError(
    "forbidden",
    `expected credentials for user "${user}", the credential plugin ${command} failed: ${messageOf(cause)}`,
    {
      hint: isMissing
        ? (installHint ?? `install ${command}, or correct PATH`)
        : `run ${command} yourself, or log in again`,
      cause,
    },
  );
}
