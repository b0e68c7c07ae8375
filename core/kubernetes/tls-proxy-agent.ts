import { Agent, request, type AgentOptions, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";

const answerMilliseconds = 15_000;

/**
 * Reaches servers through a proxy that is itself spoken to by TLS, and trusts it as Go does: by the cluster's authority and by the name that
 * the kubeconfig says (net/http transport.go: TLSClientConfig is for both). Node's own agent knows only the system's authorities there.
 */
export class TlsProxyAgent extends Agent {
  readonly #proxy: URL;
  readonly #tls: AgentOptions;

  constructor(proxy: string, { keepAlive = false, ...tls }: AgentOptions) {
    super({ ...tls, keepAlive });
    this.#proxy = new URL(proxy);
    this.#tls = tls;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { hostname, port, username, password } = this.#proxy;
    const host = options.host?.includes(":") ? `[${options.host}]` : options.host;
    const target = `${host}:${options.port}`;
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    const asked = request({
      ...this.#tls,
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port || 443,
      method: "CONNECT",
      path: target,
      headers: { host: target, ...(username === "" ? {} : { "proxy-authorization": `Basic ${login}` }) },
      agent: false,
    });
    const failed = (error: Error): void => callback?.(error, asked as unknown as Duplex);
    asked.once("error", failed);
    asked.setTimeout(answerMilliseconds, () =>
      asked.destroy(Object.assign(new Error("the proxy did not answer"), { code: "ETIMEDOUT" })),
    );
    asked.once("connect", ({ statusCode }, socket) => {
      socket.setTimeout(0);
      // @types/node does not know that TLS runs over any stream.
      if (statusCode === 200) callback?.(null, connect({ ...(options as object), socket }));
      else {
        socket.destroy();
        failed(Object.assign(new Error(`the proxy answered ${statusCode}`), { code: "ERR_PROXY_TUNNEL" }));
      }
    });
    asked.end();
    return undefined;
  }
}
