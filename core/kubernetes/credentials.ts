import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { FabricError, messageOf } from "../error.ts";
import { KubeConfig } from "./client-node.ts";
import type { LoadedKubeconfig } from "./kubeconfig.ts";

/**
 * What a request needs to be let in, from client-node: certificates, tokens of files, what a credential plugin answers (KEP-541).
 * Who has to be asked for it is asked once, however many requests wait for the answer.
 */
export class Credentials {
  readonly #loaded: LoadedKubeconfig;
  #config: KubeConfig;
  #asked: Promise<RequestOptions> | undefined;

  constructor(loaded: LoadedKubeconfig) {
    this.#loaded = loaded;
    this.#config = loaded.config;
  }

  /** Throws `forbidden` with what the plugin wrote. */
  get(): Promise<RequestOptions> {
    this.#asked ??= this.#ask().finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  /** After a 401 (client-go does the same with its plugins): others than those that were refused, or undefined where there are none. */
  async renewed(refused: RequestOptions): Promise<RequestOptions | undefined> {
    const current = await this.get();
    if (!isSame(current, refused)) return current;
    // Whoever was refused with the same ones meanwhile gets this answer, too.
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
        hint: typeof command === "string" ? `run ${command} yourself, or log in again` : "kubectl config view",
        cause,
      },
    );
  }
}

/** client-node keeps a plugin's answer as long as it says that it is valid, in the configuration. */
function withoutCache({ clusters, contexts, users, currentContext }: KubeConfig): KubeConfig {
  const fresh = new KubeConfig();
  fresh.loadFromOptions({ clusters, contexts, users, currentContext });
  return fresh;
}

const isSame = (one: RequestOptions, other: RequestOptions): boolean => keyOf(one) === keyOf(other);

const keyOf = ({ headers, cert, key }: RequestOptions): string =>
  [(headers as OutgoingHttpHeaders | undefined)?.["Authorization"], cert, key].map(String).join();
