import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { FabricError, messageOf } from "../error.ts";
import { abortError } from "./abort.ts";
import { askPlugin, pluginFailure, type PluginAnswer } from "./credential-plugin.ts";
import { headerText } from "./header-text.ts";
import { read } from "./kubeconfig-check.ts";
import type { UserFields } from "./kubeconfig-file.ts";
import type { LoadedKubeconfig } from "./kubeconfig.ts";
import { openIdToken } from "./open-id.ts";

/** As whom a request is sent. */
export interface Identity {
  readonly authorization?: string | undefined;
  /** PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * The credentials of a kubeconfig's user, as client-go sends them (client-go transport/round_trippers.go): a token, one from a file that is
 * read again as it changes, name and password, a client certificate, or what a credential plugin answers (KEP-541), which is asked once,
 * however many requests wait for its answer, and not beside other credentials.
 */
export class Credentials {
  readonly #loaded: LoadedKubeconfig;
  readonly #now: () => number;
  readonly #file: TokenFile | undefined;
  #answer: PluginAnswer | undefined;
  #asked: Asked | undefined;

  constructor(loaded: LoadedKubeconfig, now: () => number = Date.now) {
    this.#loaded = loaded;
    this.#now = now;
    const { token, tokenFile } = loaded.credentials;
    this.#file = tokenFile === undefined ? undefined : new TokenFile(tokenFile, token, now);
  }

  /** Throws `forbidden` when a plugin fails, `invalid` for what cannot be read. A plugin ends when the signals of all who wait for it are aborted. */
  async get(signal?: AbortSignal): Promise<Identity> {
    const { credentials, user } = this.#loaded;
    const what = `user ${user}`;
    const identity = { authorization: this.#authorization(credentials, what), ...certificateOf(credentials, what) };
    if (credentials.exec === undefined || identity.authorization !== undefined || identity.cert !== undefined) {
      return identity;
    }
    const { token, cert, key } = await this.#plugin(credentials.exec, signal);
    return { authorization: token === undefined ? undefined : bearer(token, what), ...checkedPair(cert, key, what) };
  }

  /** Other credentials after a 401, or undefined when there are none. client-go does the same with its plugins. */
  async renewed(refused: Identity, signal?: AbortSignal): Promise<Identity | undefined> {
    const current = await this.get(signal);
    if (!isSame(current, refused)) return current;
    // Another request that was refused with the same credentials meanwhile shares this answer.
    if (this.#asked === undefined) this.#answer = undefined;
    this.#file?.forget();
    const renewed = await this.get(signal);
    return isSame(renewed, refused) ? undefined : renewed;
  }

  #authorization(fields: UserFields, what: string): string | undefined {
    const { token, username, password = "", "auth-provider": provider } = fields;
    if (this.#file !== undefined) return bearer(this.#file.token(), what);
    if (token !== undefined) return bearer(token, what);
    if (username !== undefined) return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    return provider === undefined ? undefined : bearer(openIdToken(provider, what, this.#now()), what);
  }

  async #plugin(exec: NonNullable<UserFields["exec"]>, signal: AbortSignal | undefined): Promise<PluginAnswer> {
    if (this.#answer !== undefined && this.#now() <= this.#answer.expires) return this.#answer;
    const asked = (this.#asked ??= this.#ask(exec));
    const leave = () => {
      asked.waiting -= 1;
      if (asked.waiting > 0) return;
      // Who comes now asks anew.
      if (this.#asked === asked) this.#asked = undefined;
      asked.stop.abort();
    };
    asked.waiting += 1;
    signal?.addEventListener("abort", leave, { once: true });
    if (signal?.aborted) leave();
    try {
      return await asked.answer;
    } catch (cause) {
      if (signal?.aborted) throw abortError(signal, `the credential plugin ${exec.command}`);
      throw pluginFailure(cause, exec, this.#loaded.user);
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  #ask(exec: NonNullable<UserFields["exec"]>): Asked {
    const stop = new AbortController();
    const answer = askPlugin(exec, this.#loaded, stop.signal).then((told) => (this.#answer = told));
    const asked: Asked = { stop, answer, waiting: 0 };
    const over = () => {
      if (this.#asked === asked) this.#asked = undefined;
    };
    answer.then(over, over);
    return asked;
  }
}

/** A plugin that is being asked. */
interface Asked {
  readonly answer: Promise<PluginAnswer>;
  readonly stop: AbortController;
  /** So many requests. */
  waiting: number;
}

/** A token that is kept for a minute but 10 s (client-go transport/token_source.go), and longer while its file cannot be read. */
class TokenFile {
  readonly #path: string;
  readonly #instead: string | undefined;
  readonly #now: () => number;
  #kept: string | undefined;
  #until = -Infinity;

  /** `instead` is the kubeconfig's token, for as long as the file could not be read. */
  constructor(path: string, instead: string | undefined, now: () => number) {
    this.#path = path;
    this.#instead = instead;
    this.#now = now;
  }

  token(): string {
    if (this.#kept !== undefined && this.#now() < this.#until) return this.#kept;
    try {
      this.#kept = this.#read();
      this.#until = this.#now() + 50_000;
      return this.#kept;
    } catch (cause) {
      const last = this.#kept ?? this.#instead;
      if (last !== undefined) return last;
      throw new FabricError("invalid", `expected a token in ${this.#path}, got: ${messageOf(cause)}`, { cause });
    }
  }

  forget(): void {
    this.#until = -Infinity;
  }

  #read(): string {
    const token = readFileSync(this.#path, "utf8").trim();
    if (token === "") throw new Error("nothing in it");
    return token;
  }
}

const bearer = (token: string, what: string): string => `Bearer ${headerText(token, `a token of ${what}`)}`;

function certificateOf(fields: UserFields, what: string): Pick<Identity, "cert" | "key"> {
  const pem = (data: Buffer | undefined, file: string | undefined, name: string) =>
    (data ?? (file === undefined ? undefined : read(file, `${name} of ${what}`)))?.toString("utf8");
  return checkedPair(
    pem(fields["client-certificate-data"], fields["client-certificate"], "client-certificate"),
    pem(fields["client-key-data"], fields["client-key"], "client-key"),
    what,
  );
}

/** A certificate and its key, which OpenSSL refuses when they do not belong together. */
function checkedPair(cert: string | undefined, key: string | undefined, what: string): Pick<Identity, "cert" | "key"> {
  if (cert === undefined || key === undefined) return {};
  try {
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new FabricError(
      "invalid",
      `expected a client certificate and its key (PEM) of ${what}, got: ${messageOf(cause)}`,
      { cause },
    );
  }
}

const isSame = (one: Identity, other: Identity): boolean =>
  one.authorization === other.authorization && one.cert === other.cert && one.key === other.key;
