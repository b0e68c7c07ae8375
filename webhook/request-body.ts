import type { IncomingMessage } from "node:http";

/** A review may contain an object twice (object and oldObject), each of 3 MiB: etcd's limit with room. */
const mostBodyBytes = 7 * 1024 * 1024;

/** The limit for all reviews together that have no answer yet: a parsed body takes several times its size. */
export const mostBodiesBytes = 32 * 1024 * 1024;

/** The limit for receiving a body. The API server sends a body at once, and waits five seconds for the answer. */
const bodyMs = 5000;

/** A body that cannot be read; `status` is the HTTP status of the refusal. */
export class InvalidBody extends Error {
  override readonly name = "InvalidBody";
  readonly status: 400 | 413 | 415 | 503;

  constructor(status: InvalidBody["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** A limit for the bodies of all requests together. Received bytes count, not announced ones. */
export class BodyBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** The share of one request. */
  open(): BodyShare {
    let taken = 0;
    return {
      take: (bytes) => {
        if (bytes > this.#left) return false;
        this.#left -= bytes;
        taken += bytes;
        return true;
      },
      close: () => {
        this.#left += taken;
        taken = 0;
      },
    };
  }
}

export interface BodyShare {
  /** Takes bytes of the budget; false when it has not so many left. */
  take(bytes: number): boolean;
  /** Returns all taken bytes to the budget. */
  close(): void;
}

/**
 * Reads a JSON body as text, like express.raw, but without the encodings that the API server never uses, which take a tenth of the time of
 * a review. Throws InvalidBody when its type is not JSON, when it is too large or cut short, or when the budget has no room for it.
 */
export async function readJsonBody(request: IncomingMessage, share: BodyShare): Promise<string> {
  const { "content-type": type = "", "content-encoding": encoding, "content-length": announced } = request.headers;
  if (!/^application\/json\s*(?:;|$)/i.test(type) || (encoding !== undefined && encoding !== "identity"))
    throw new InvalidBody(415, "expected content of type application/json");
  if (Number(announced) > mostBodyBytes) throw tooLarge();
  const body = await received(request, share);
  return body.toString("utf8");
}

function tooLarge(): InvalidBody {
  return new InvalidBody(413, `expected at most ${mostBodyBytes} bytes, found more`);
}

function received(request: IncomingMessage, share: BodyShare): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > mostBodyBytes) refuse(tooLarge());
    else if (share.take(chunk.length)) chunks.push(chunk);
    else refuse(new InvalidBody(503, `expected at most ${mostBodiesBytes} bytes of all reviews under way, found more`));
  };
  const refuse = (reason: InvalidBody): void => {
    chunks.length = 0;
    share.close();
    // The rest is received and dropped, so that the client reads the answer.
    request.off("data", take).resume();
    reject(reason);
  };
  request.on("data", take);
  request.on("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
  request.on("error", () => reject(new InvalidBody(400, "expected a whole body, found an end before it")));
  return promise;
}

/** Ends the connection when its body does not come in time, whether or not it was answered. */
export function endLate(request: IncomingMessage): void {
  const late = setTimeout(() => request.destroy(), bodyMs);
  const inTime = (): void => clearTimeout(late);
  request.on("end", inTime).on("close", inTime);
}
