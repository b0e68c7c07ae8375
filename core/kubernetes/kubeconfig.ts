import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { asUsage, FabricError, messageOf } from "../error.ts";
import { impersonationOf, type ImpersonationHeaders } from "./impersonation.ts";
import { checkCluster, checkProxy, checkUser } from "./kubeconfig-check.ts";
import {
  readKubeconfigFile,
  type ClusterFields,
  type Entry,
  type KubeconfigFile,
  type UserFields,
} from "./kubeconfig-file.ts";
import { proxyFor } from "./proxy.ts";
import { serverUrl } from "./server-url.ts";

/** Where to look for a kubeconfig. Defaults are kubectl's. */
export interface KubeconfigSource {
  /** As `--kubeconfig`: this file and no other. */
  readonly kubeconfig?: string | undefined;
  /** As `--context`. */
  readonly context?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** The folder of a Pod's service account: where the kubelet mounts it. */
  readonly serviceAccount?: string | undefined;
}

/** A chosen context, with all that its requests need. Paths in it are absolute. */
export interface LoadedKubeconfig {
  readonly context: string;
  /** "https://10.0.0.1:6443", with a path where the kubeconfig has one. */
  readonly server: string;
  /** The context's namespace, or "default". */
  readonly namespace: string;
  /** The user's name in the kubeconfig. */
  readonly user: string;
  readonly cluster: ClusterFields;
  readonly credentials: UserFields;
  /** Headers of the user whom this user impersonates; empty for none. */
  readonly impersonation: ImpersonationHeaders;
  /** The proxy on the way to the server, of the kubeconfig or the environment. */
  readonly proxy: string | undefined;
  /** What a credential plugin inherits. */
  readonly env: NodeJS.ProcessEnv;
}

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** A kubeconfig with certificates of a thousand clusters has 3 MB. */
const mostBytes = 32 * 1024 * 1024;

/**
 * Loads what kubectl would load (client-go tools/clientcmd/loader.go): `--kubeconfig`, else the files of KUBECONFIG, else
 * ~/.kube/config, else the service account of the Pod. Of several files the first that names a cluster, a user or a context wins, with
 * all its fields; missing files of KUBECONFIG are ignored. What kubectl refuses is refused, and so is, of the entries that are used, a
 * field that nobody knows.
 * Throws `cluster-unreachable` when there is no configuration or no current context, `invalid` when a file is not a kubeconfig, or what
 * it says cannot be carried out. Throws `usage` when the options name a context that does not exist, and for every failure of a file that
 * they name.
 */
export function loadKubeconfig(source: KubeconfigSource = {}): LoadedKubeconfig {
  const { kubeconfig, context, env = process.env, serviceAccount = serviceAccountFolder } = source;
  const pod = podOf(env, serviceAccount);
  try {
    const files = kubeconfigFiles(kubeconfig, env);
    const name = context ?? files.map(({ currentContext }) => currentContext).find((one) => one !== undefined);
    if (name === undefined && pod !== undefined) return inCluster(pod, env);
    if (files.length === 0) throw noKubeconfig(env);
    const told = context !== undefined || kubeconfig !== undefined;
    return chooseContext(files, { name, told, namespace: pod?.namespace, env });
  } catch (error) {
    throw kubeconfig === undefined ? error : asUsage(error);
  }
}

function kubeconfigFiles(explicit: string | undefined, env: NodeJS.ProcessEnv): readonly KubeconfigFile[] {
  if (explicit !== undefined) {
    const file = readFile(explicit);
    if (file !== undefined) return [file];
    throw new FabricError("usage", `expected a kubeconfig at ${explicit}, found no such file`, {
      hint: ["name an existing file with ", { setting: "kubeconfig" }],
    });
  }
  const paths = env["KUBECONFIG"] ? env["KUBECONFIG"].split(delimiter) : [homeKubeconfig(env)];
  return [...new Set(paths)].flatMap((path) => (path === "" ? [] : (readFile(path) ?? [])));
}

/** client-go's home is HOME, on Windows another one where a kubeconfig is only there (util/homedir). */
function homeKubeconfig({ HOME, USERPROFILE }: NodeJS.ProcessEnv): string {
  const homes = process.platform === "win32" ? [HOME, USERPROFILE, homedir()] : [HOME ?? homedir()];
  const files = homes.flatMap((home) => (home === undefined ? [] : [join(home, ".kube", "config")]));
  return files.find((file) => existsSync(file)) ?? files[0] ?? "";
}

/** A file of a list may be missing, but not, for example, unreadable. It is read once, because it may be a pipe. */
function readFile(path: string): KubeconfigFile | undefined {
  try {
    if (statSync(path).size > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
    return readKubeconfigFile(readFileSync(path, "utf8"), path);
  } catch (cause) {
    if (cause instanceof FabricError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new FabricError("invalid", `expected a kubeconfig in ${path}, got: ${messageOf(cause)}`, { cause });
  }
}

function noKubeconfig(env: NodeJS.ProcessEnv): FabricError {
  const looked = env["KUBECONFIG"] ? `KUBECONFIG=${env["KUBECONFIG"]}` : homeKubeconfig(env);
  return new FabricError("cluster-unreachable", `expected a kubeconfig, found none (${looked})`, {
    hint: [
      "set KUBECONFIG or name a file with ",
      { setting: "kubeconfig" },
      "; `",
      { kubectl: ["config", "get-contexts"] },
      "` must list a cluster",
    ],
  });
}

interface Choice {
  readonly name: string | undefined;
  /** Whether the options name what is chosen. */
  readonly told?: boolean;
  /** The namespace of a context that has none. */
  readonly namespace?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A context of these files, the first of each name counting. Reads what it names. Throws as `loadKubeconfig` does. */
export function chooseContext(files: readonly KubeconfigFile[], choice: Choice): LoadedKubeconfig {
  const { name = "", told = false, env } = choice;
  const contexts = firstOfEachName(files.map((file) => file.contexts));
  const context = contexts.get(name);
  if (context === undefined) throw noContext(name, [...contexts.keys()], told);
  const { cluster: clusterName = "", user: userName = "", namespace } = known(context, `context ${name}`).fields;
  const cluster = firstOfEachName(files.map(({ clusters }) => clusters)).get(clusterName);
  if (cluster === undefined) throw notThere(name, "cluster", clusterName);
  const user = firstOfEachName(files.map(({ users }) => users)).get(userName);
  const server = serverUrl(cluster.fields.server, `cluster ${clusterName} in ${cluster.source}`);
  if (user === undefined && server.protocol === "https:") throw notThere(name, "user", userName);
  return completed(
    { context: name, namespace: namespaceOf(namespace, `context ${name}`) ?? choice.namespace ?? "default", env },
    server,
    resolved(known(cluster, `cluster ${clusterName}`)),
    resolved(user === undefined ? nobody : known(user, `user ${userName}`)),
    { cluster: clusterName, user: userName },
  );
}

const nobody: Entry<UserFields> = { source: "", fields: {}, unknown: [] };

function completed(
  about: Pick<LoadedKubeconfig, "context" | "namespace" | "env">,
  server: URL,
  cluster: Entry<ClusterFields>,
  user: Entry<UserFields>,
  names: { readonly cluster: string; readonly user: string },
): LoadedKubeconfig {
  const [ofCluster, ofUser] = [`cluster ${names.cluster} in ${cluster.source}`, `user ${names.user} in ${user.source}`];
  checkCluster(cluster.fields, ofCluster);
  checkUser(user.fields, ofUser, server.protocol === "https:");
  return {
    ...about,
    server: server.href.replace(/\/+$/, ""),
    user: names.user,
    cluster: cluster.fields,
    credentials: user.fields,
    impersonation: impersonationOf(user.fields, ofUser),
    proxy: cluster.fields["proxy-url"] ?? environmentProxy(server, about.env),
  };
}

function environmentProxy(server: URL, env: NodeJS.ProcessEnv): string | undefined {
  const proxy = proxyFor(server, env);
  if (proxy !== undefined) checkProxy(proxy, ["http:", "https:", "socks5:", "socks5h:"], "HTTPS_PROXY or HTTP_PROXY");
  return proxy;
}

function firstOfEachName<T>(lists: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> {
  const first = new Map<string, T>();
  for (const [name, one] of lists.flatMap((list) => [...list])) if (!first.has(name)) first.set(name, one);
  return first;
}

/** The entry, unless it has fields that we do not carry out: a newer kubectl may, and a misspelt one would be missed in silence. */
function known<T>(entry: Entry<T>, what: string): Entry<T> {
  const [field] = entry.unknown;
  if (field === undefined) return entry;
  throw new FabricError("invalid", `expected fields of a kubeconfig in ${what} in ${entry.source}, found ${field}`, {
    hint: `correct or remove ${field}: it is not carried out`,
  });
}

/** Paths are relative to their kubeconfig; a plugin's command only where it is a path (client-go tools/clientcmd/loader.go). */
function resolved<T extends ClusterFields | UserFields>({ source, fields, unknown }: Entry<T>): Entry<T> {
  const absolute = (path: string) => resolve(dirname(source), path);
  const paths = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];
  const entries = Object.entries(fields).map(([name, value]) => {
    if (paths.includes(name) && typeof value === "string") return [name, absolute(value)];
    if (name !== "exec" || value === undefined) return [name, value];
    const exec = value as NonNullable<UserFields["exec"]>;
    return [name, /[\\/]/.test(exec.command ?? "") ? { ...exec, command: absolute(exec.command ?? "") } : exec];
  });
  return { source, unknown, fields: Object.fromEntries(entries) as T };
}

function namespaceOf(namespace: string | undefined, what: string): string | undefined {
  if (namespace === undefined || /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw new FabricError("invalid", `expected a namespace's name (RFC 1123) in ${what}, found ${namespace}`);
}

function noContext(name: string, others: readonly string[], told: boolean): FabricError {
  const expected = name ? `expected a context named "${name}"` : "expected a current context";
  const [first] = others;
  return new FabricError(
    told ? "usage" : "cluster-unreachable",
    `${expected}, found ${others.length ? others.join(", ") : "no context"}`,
    {
      hint:
        first === undefined
          ? { kubectl: ["config", "view"] }
          : ["choose one with ", { setting: "context" }, ", for example ", { setting: "context", to: first }],
    },
  );
}

function notThere(context: string, kind: string, name: string): FabricError {
  return new FabricError(
    "invalid",
    name === ""
      ? `expected a ${kind} in context "${context}", found none`
      : `context "${context}" names the ${kind} "${name}", which is not there`,
    {
      hint: { kubectl: ["config", "view"] },
    },
  );
}

interface Pod {
  readonly host: string;
  readonly port: string;
  readonly folder: string;
  readonly namespace: string;
}

/** The Pod that we run in, when it has a service account (client-go rest.InClusterConfig). */
function podOf(env: NodeJS.ProcessEnv, folder: string): Pod | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, POD_NAMESPACE } = env;
  if (!host || !port || !statSync(join(folder, "token"), { throwIfNoEntry: false })?.isFile()) return undefined;
  const file = join(folder, "namespace");
  const namespace = POD_NAMESPACE || (existsSync(file) ? readFileSync(file, "utf8").trim() : "") || "default";
  return { host, port, folder, namespace };
}

/** The token's file is named, not read: it is renewed while we run. */
function inCluster({ host, port, folder, namespace }: Pod, env: NodeJS.ProcessEnv): LoadedKubeconfig {
  const server = serverUrl(`https://${host.includes(":") ? `[${host}]` : host}:${port}`, "the Pod's environment");
  const authority = join(folder, "ca.crt");
  return completed(
    { context: "inClusterContext", namespace, env },
    server,
    { source: folder, unknown: [], fields: existsSync(authority) ? { "certificate-authority": authority } : {} },
    { source: folder, unknown: [], fields: { tokenFile: join(folder, "token") } },
    { cluster: "inCluster", user: "inClusterUser" },
  );
}
