import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { withoutSecrets } from "./server-url.ts";
import { FabricError, messageOf } from "../error.ts";
import type { ClusterFields, ExecFields, UserFields } from "./kubeconfig-file.ts";

// What kubectl refuses of the cluster and the user of a context (client-go tools/clientcmd/validation.go, transport/transport.go), and what
// it drops in silence. Each throws `invalid`; `what` is "user ann in FILE".

/** Versions of ExecCredential (KEP-541). */
const execVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

export function checkCluster(cluster: ClusterFields, what: string): void {
  const { "certificate-authority": file, "certificate-authority-data": data, "proxy-url": proxy } = cluster;
  notBoth("certificate-authority", file, "certificate-authority-data", data, what);
  notBoth(
    "insecure-skip-tls-verify",
    cluster["insecure-skip-tls-verify"] || undefined,
    "a certificate authority",
    file ?? data,
    what,
  );
  const authority = data ?? (file === undefined ? undefined : read(file, `certificate-authority of ${what}`));
  if (authority !== undefined && !hasCertificate(authority)) {
    throw new FabricError("invalid", `expected a certificate (PEM) in certificate-authority of ${what}, found none`);
  }
  if (proxy !== undefined) checkProxy(proxy, ["http:", "https:", "socks5:"], `proxy-url of ${what}`);
}

/** Throws `invalid` unless it is the address of a proxy of one of these kinds. */
export function checkProxy(proxy: string, schemes: readonly string[], what: string): void {
  const url = URL.parse(proxy);
  if (url !== null && url.hostname !== "" && schemes.includes(url.protocol) && isDecodable(url)) return;
  const kinds = schemes.map((scheme) => `${scheme}//`).join(", ");
  throw new FabricError("invalid", `expected an address with ${kinds} in ${what}, found ${withoutSecrets(proxy)}`);
}

/** Node decodes name and password of a proxy, and throws a URIError where they are not UTF-8. */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}

/** Of credentials, only what kubectl reads: with a server without TLS none are sent. */
export function checkUser(user: UserFields, what: string, isTls: boolean): void {
  const { username, password, token, tokenFile, exec, "auth-provider": provider } = user;
  const [cert, key] = [certificateOf(user, what), keyOf(user, what)];
  const basic = username ?? password;
  notBoth("username and password", basic, "token", token ?? tokenFile, what);
  notBoth("exec", exec, "auth-provider", provider, what);
  if (cert !== undefined && key === undefined) throw missing("client-key", "client-certificate", what);
  if (key !== undefined && cert === undefined) throw missing("client-certificate", "client-key", what);
  if (password !== undefined && username === undefined) throw missing("username", "password", what);
  if (exec !== undefined) checkExec(exec, what);
  if (!isTls) return;
  if (provider !== undefined) checkProvider(provider, what);
  if ((basic ?? token ?? tokenFile ?? cert ?? exec ?? provider) !== undefined) return;
  throw new FabricError("invalid", `expected credentials in ${what}, found none`, {
    hint: "kubectl would ask for a name and a password here: log in to the cluster, or write them into the kubeconfig",
  });
}

const certificateOf = (user: UserFields, what: string) =>
  notBoth(
    "client-certificate",
    user["client-certificate"],
    "client-certificate-data",
    user["client-certificate-data"],
    what,
  );

const keyOf = (user: UserFields, what: string) =>
  notBoth("client-key", user["client-key"], "client-key-data", user["client-key-data"], what);

function checkExec({ command, apiVersion, interactiveMode, env = [] }: ExecFields, what: string): void {
  if (command === undefined) throw missing("command", "exec", what);
  if (!execVersions.includes(apiVersion ?? "")) {
    throw new FabricError(
      "invalid",
      `expected ${execVersions.join(" or ")} as exec.apiVersion of ${what}, found ${apiVersion ?? "none"}`,
      { hint: `bring ${command} up to date, and let it write the kubeconfig again` },
    );
  }
  // v1beta1 may leave it out (client-go tools/clientcmd/api/v1/defaults.go).
  const mode = interactiveMode ?? (apiVersion?.endsWith("beta1") ? "IfAvailable" : "none");
  if (!["Never", "IfAvailable", "Always"].includes(mode)) {
    throw new FabricError(
      "invalid",
      `expected Never, IfAvailable or Always as exec.interactiveMode of ${what}, found ${mode}`,
      { hint: "write interactiveMode: IfAvailable there" },
    );
  }
  if (env.some(({ name }) => name === undefined)) throw missing("name", "exec.env", what);
}

function checkProvider({ name, config = {} }: NonNullable<UserFields["auth-provider"]>, what: string): void {
  if (name !== "oidc") {
    throw new FabricError(
      "invalid",
      `expected no auth-provider but oidc in ${what}, found ${name ?? "one without a name"}`,
      {
        hint: "kubectl has removed it, too: use the provider's credential plugin (exec)",
      },
    );
  }
  for (const field of ["idp-issuer-url", "client-id"]) {
    if (!config[field]) throw missing(`config.${field}`, "auth-provider", what);
  }
}

/** The one that is there. */
function notBoth<T>(one: string, first: T | undefined, other: string, second: unknown, what: string): unknown {
  if (first === undefined || second === undefined) return first ?? second;
  throw new FabricError("invalid", `expected ${one} or ${other} in ${what}, found both`, {
    hint: "kubectl refuses both, too: remove one",
  });
}

function missing(field: string, beside: string, what: string): FabricError {
  return new FabricError("invalid", `expected ${field} beside ${beside} in ${what}, found none`);
}

/** A file that the kubeconfig names. */
export function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new FabricError("invalid", `expected a file for ${what}, got: ${messageOf(cause)}`, { cause });
  }
}

/** As Go reads a pool: what is no certificate between others is passed over. */
function hasCertificate(pem: Buffer): boolean {
  const blocks = pem.toString("latin1").match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.some((block) => {
    try {
      return Boolean(new X509Certificate(block));
    } catch {
      return false;
    }
  });
}
