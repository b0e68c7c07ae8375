import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type AgentOptions, type RequestOptions } from "node:https";
import { checkServerIdentity, getCACertificates } from "node:tls";
import { SocksProxyAgent } from "socks-proxy-agent";
import type { Identity } from "./credentials.ts";
import { read } from "./kubeconfig-check.ts";
import type { LoadedKubeconfig } from "./kubeconfig.ts";
import { TlsProxyAgent } from "./tls-proxy-agent.ts";

/**
 * The connections to the API server of a kubeconfig: whom they trust, by which certificate and through which proxy, the same for plain
 * requests and WebSockets. They are kept until the certificates change.
 */
export class Connections {
  readonly #loaded: LoadedKubeconfig;
  #agents: Agents | undefined;

  constructor(loaded: LoadedKubeconfig) {
    this.#loaded = loaded;
  }

  /** For a request as this identity. With `kept: false` it gets a connection of its own: an idle one may be lost just then. */
  options({ authorization, cert, key }: Identity, { kept = true }: { readonly kept?: boolean } = {}): RequestOptions {
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...this.#loaded.impersonation };
    // Without TLS and proxy, Node's own agent has all that is needed.
    if (this.#loaded.server.startsWith("http:") && this.#loaded.proxy === undefined) {
      return kept ? { headers } : { headers, agent: false };
    }
    const agents = this.#agentsFor(this.#tls(cert, key));
    return { headers, agent: kept ? agents.kept : agents.single };
  }

  close(): void {
    this.#agents?.kept.destroy();
    this.#agents?.single.destroy();
  }

  #tls(cert: string | undefined, key: string | undefined): AgentOptions {
    const { cluster } = this.#loaded;
    const file = cluster["certificate-authority"];
    const what = `certificate-authority of ${this.#loaded.server}`;
    const told = cluster["certificate-authority-data"] ?? (file === undefined ? undefined : read(file, what));
    const servername = cluster["tls-server-name"];
    return {
      ca: told ?? knownAuthorities(),
      // Go trusts each certificate that is told, also one that others have issued (crypto/x509, verify.go).
      allowPartialTrustChain: told !== undefined,
      ...(cert === undefined ? {} : { cert, key }),
      ...(servername === undefined ? {} : { servername }),
      // The kubeconfig's own word, as for kubectl; nothing of ours says it, and no node of Fabric is ever called like this.
      ...(cluster["insecure-skip-tls-verify"] === true ? { rejectUnauthorized: false } : {}),
    };
  }

  #agentsFor(tls: AgentOptions): Agents {
    const identity = [tls.ca, tls.cert, tls.key].map(String).join();
    if (this.#agents?.identity !== identity) {
      const newAgent = (keepAlive: boolean) => agentOf(this.#loaded, { ...tls, keepAlive });
      this.#agents?.kept.destroy();
      this.#agents = { identity, kept: newAgent(true), single: newAgent(false) };
    }
    return this.#agents;
  }
}

/** The system's, to which Node itself does not look, and those that Node brings. The system's are read once. */
const knownAuthorities = (): string[] => [...getCACertificates("bundled"), ...getCACertificates("system")];

interface Agents {
  readonly identity: string;
  readonly kept: HttpAgent;
  readonly single: HttpAgent;
}

/** Node's agents know proxies by HTTP, but judge by NO_PROXY in their own way: they are told nothing but the proxy. */
function agentOf({ server, proxy }: LoadedKubeconfig, options: AgentOptions): HttpAgent {
  // Go lets a SOCKS proxy resolve names, which this package calls socks5h.
  if (proxy?.startsWith("socks")) {
    // This package does not say to TLS which host it is: the certificate of an address would have to be that of "localhost".
    const host = options.servername ?? new URL(server).hostname.replace(/^\[(.*)\]$/, "$1");
    const checked: AgentOptions = {
      ...options,
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    };
    return new SocksProxyAgent(proxy.replace(/^socks5h?:/, "socks5h:"), checked);
  }
  if (server.startsWith("http:")) return new HttpAgent({ ...options, proxyEnv: { HTTP_PROXY: proxy } });
  if (proxy?.startsWith("https:")) return new TlsProxyAgent(proxy, options);
  return new HttpsAgent({ ...options, proxyEnv: { HTTPS_PROXY: proxy } });
}
