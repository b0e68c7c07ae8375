import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { asUsage, FabricError, messageOf } from "../error.ts";
import { KubeConfig } from "./client-node.ts";
import { impersonationOf, type ImpersonationHeaders } from "./impersonation.ts";

const inClusterToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Where to look for a kubeconfig. Defaults are kubectl's. */
export interface KubeconfigSource {
  /** As `--kubeconfig`: this file and no other. */
  readonly kubeconfig?: string | undefined;
  /** As `--context`. */
  readonly context?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** A loaded configuration and its chosen context. */
export interface LoadedKubeconfig {
  readonly config: KubeConfig;
  readonly context: string;
  readonly server: string;
  /** The context's namespace, or "default". */
  readonly namespace: string;
  /** The user's name in the kubeconfig. */
  readonly user: string;
  /** Headers of the user whom this user impersonates; empty for none. */
  readonly impersonation: ImpersonationHeaders;
}

/**
 * Loads what kubectl would load (client-go tools/clientcmd/loader.go): `--kubeconfig`, else the files of KUBECONFIG, else
 * ~/.kube/config, else the service account of the Pod. Of several files the first that names an entry wins; missing files of KUBECONFIG
 * are ignored.
 * Throws `cluster-unreachable` when there is no configuration or no current context, `invalid` when a file is not a kubeconfig. Throws
 * `usage` when the options name a context that does not exist, and for every failure of a file that they name.
 */
export function loadKubeconfig({ kubeconfig, context, env = process.env }: KubeconfigSource = {}): LoadedKubeconfig {
  const files = kubeconfigFiles(kubeconfig, env);
  try {
    const config = files.length > 0 ? mergeFirstWins(files.map(readKubeconfig)) : inCluster(env);
    if (context !== undefined) config.setCurrentContext(context);
    const loaded = chosen(withoutTraps(config, files), files, context !== undefined || kubeconfig !== undefined);
    return { ...loaded, impersonation: impersonated(loaded.user, files) };
  } catch (error) {
    throw kubeconfig === undefined ? error : asUsage(error);
  }
}

function kubeconfigFiles(explicit: string | undefined, env: NodeJS.ProcessEnv): readonly string[] {
  if (explicit !== undefined) {
    if (existsSync(explicit)) return [explicit];
    throw new FabricError("usage", `expected a kubeconfig at ${explicit}, found no such file`, {
      hint: ["name an existing file with ", { setting: "kubeconfig" }],
    });
  }
  if (env.KUBECONFIG) return env.KUBECONFIG.split(delimiter).filter((file) => file !== "" && existsSync(file));
  const standard = join(env.HOME ?? homedir(), ".kube", "config");
  return existsSync(standard) ? [standard] : [];
}

function readKubeconfig(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file, { onInvalidEntry: "filter" });
  } catch (cause) {
    throw new FabricError("invalid", `expected a kubeconfig in ${file}, got: ${messageOf(cause)}`, {
      hint: { kubectl: ["config", "view", "--kubeconfig", file] },
      cause,
    });
  }
  config.users = config.users.map((user) => {
    const command: unknown = user.exec?.command;
    // client-go, plugin/pkg/client/auth/exec: a command with a path is relative to its kubeconfig.
    if (typeof command !== "string" || !/[\\/]/.test(command)) return user;
    return { ...user, exec: { ...user.exec, command: resolve(dirname(file), command) } };
  });
  return config;
}

/** The impersonation headers from the first file that has a user of this name. */
function impersonated(user: string, files: readonly string[]): ImpersonationHeaders {
  for (const file of files) {
    if (!readKubeconfig(file).users.some(({ name }) => name === user)) continue;
    return impersonationOf(user, readFileSync(file, "utf8"), file);
  }
  return {};
}

function mergeFirstWins(configs: readonly KubeConfig[]): KubeConfig {
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEachName(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEachName(configs.flatMap(({ users }) => users)),
    contexts: firstOfEachName(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map((config) => config.getCurrentContext()).find((name) => name),
  });
  return merged;
}

function firstOfEachName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return items.filter(({ name }, index) => items.findIndex((other) => other.name === name) === index);
}

function inCluster(env: NodeJS.ProcessEnv): KubeConfig {
  const config = new KubeConfig();
  if (env.KUBERNETES_SERVICE_HOST && existsSync(inClusterToken)) {
    config.loadFromCluster();
    return config;
  }
  const looked = env.KUBECONFIG ? `KUBECONFIG=${env.KUBECONFIG}` : join(env.HOME ?? homedir(), ".kube", "config");
  throw new FabricError("cluster-unreachable", `expected a kubeconfig, found none (${looked})`, {
    hint: [
      "set KUBECONFIG or name a file with ",
      { setting: "kubeconfig" },
      "; `",
      { kubectl: ["config", "get-contexts"] },
      "` must list a cluster",
    ],
  });
}

/** Repairs what client-node cannot handle: a context without a user, an exec plugin that needs KUBERNETES_EXEC_INFO. */
function withoutTraps(config: KubeConfig, files: readonly string[]): KubeConfig {
  const noUser = "kubectl-fabric/no-user";
  const repaired = new KubeConfig();
  repaired.loadFromOptions({
    currentContext: config.getCurrentContext(),
    clusters: config.clusters,
    contexts: config.contexts.map((it) => (it.user ? it : { ...it, user: noUser })),
    users: [...config.users.map(withExecInfo), { name: noUser }],
  });
  if (files.length === 0) repaired.users = [...config.users, { name: noUser }];
  return repaired;
}

/** client-go tells each credential plugin which version of ExecCredential it expects (KEP-541); client-node does not. */
function withExecInfo(user: KubeConfig["users"][number]): KubeConfig["users"][number] {
  if (!user.exec) return user;
  const exec = user.exec as { apiVersion?: string; env?: readonly { name: string; value: string }[] | null };
  const info = { kind: "ExecCredential", apiVersion: exec.apiVersion, spec: { interactive: false } };
  const env = [...(exec.env ?? []), { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }];
  return { ...user, exec: { ...exec, env } };
}

function chosen(config: KubeConfig, files: readonly string[], told: boolean): Omit<LoadedKubeconfig, "impersonation"> {
  const name = config.getCurrentContext() ?? "";
  const known = config.contexts.map((context) => context.name);
  const context = config.getContextObject(name);
  if (!context) {
    const found = name ? `expected a context named "${name}"` : "expected a current context";
    const code = told ? "usage" : "cluster-unreachable";
    throw new FabricError(code, `${found}, found ${known.length ? known.join(", ") : "no context"}`, {
      hint: known[0]
        ? ["choose one with ", { setting: "context" }, ", for example ", { setting: "context", to: known[0] }]
        : `no context in ${files.join(", ")}`,
    });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new FabricError("invalid", `context "${name}" names the cluster "${context.cluster}", which is not there`, {
      hint: { kubectl: ["config", "view"] },
    });
  }
  return {
    config,
    context: name,
    server: cluster.server,
    namespace: context.namespace ?? "default",
    user: context.user,
  };
}
