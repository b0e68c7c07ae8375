import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { FabricError, messageOf } from "../error.ts";
import { KubeConfig } from "./client-node.ts";
import type { LoadedKubeconfig } from "./kubeconfig.ts";

/**
 * The credentials of requests, from client-node: certificates, tokens from files, a credential plugin's answer (KEP-541).
 * A plugin is asked once, however many requests wait for its answer.
 */
export class Credentials {
  readonly #loaded: LoadedKubeconfig;
  #config: KubeConfig;
  #asked: Promise<RequestOptions> | undefined;

  constructor(loaded: LoadedKubeconfig) {
    this.#loaded = loaded;
    this.#config = loaded.config;
  }

  /** Throws `forbidden` with the plugin's output. */
  get(): Promise<RequestOptions> {
    this.#asked ??= this.#ask().finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  /** Other credentials after a 401, or undefined when there are none. client-go does the same with its plugins. */
  async renewed(refused: RequestOptions): Promise<RequestOptions | undefined> {
    const current = await this.get();
    if (!isSame(current, refused)) return current;
    // Another request that was refused with the same credentials meanwhile shares this answer.
    if (this.#asked === undefined) this.#config = withoutCache(this.#config);
    const renewed = await this.get();
    return isSame(renewed, refused) ? undefined : renewed;
  }

  async #ask(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      throw this.#failure(cause);
    }
    return options;
  }

  #failure(cause: unknown): FabricError {
    const { user, config } = this.#loaded;
    const command: unknown = config.getCurrentUser()?.exec?.command;
    const plugin = typeof command === "string" ? `the credential plugin ${command}` : "the kubeconfig's credentials";
    return new FabricError(
      "forbidden",
      `expected credentials for user "${user}", ${plugin} failed: ${messageOf(cause).trim()}`,
      {
        hint:
          typeof command === "string" ? `run ${command} yourself, or log in again` : { kubectl: ["config", "view"] },
        cause,
      },
    );
  }
}

/** A copy without a plugin's answer, which client-node keeps in the configuration until the answer's expiry. */
function withoutCache({ clusters, contexts, users, currentContext }: KubeConfig): KubeConfig {
  const fresh = new KubeConfig();
  fresh.loadFromOptions({ clusters, contexts, users, currentContext });
  return fresh;
}

const isSame = (one: RequestOptions, other: RequestOptions): boolean => keyOf(one) === keyOf(other);

const keyOf = ({ headers, cert, key }: RequestOptions): string =>
  [(headers as OutgoingHttpHeaders | undefined)?.["Authorization"], cert, key].map(String).join();
