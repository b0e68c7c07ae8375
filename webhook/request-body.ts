import type { IncomingMessage } from "node:http";

/** An object of 3 MiB, etcd's limit with room, may come twice in a review (object and oldObject). */
const mostBodyBytes = 7 * 1024 * 1024;

/** Of all reviews together that have no answer yet: what is made of a body takes several times its size. */
export const mostBodiesBytes = 32 * 1024 * 1024;

/** The API server, which waits for five seconds, sends a body in one go. */
const bodyMs = 5000;

/** What was sent cannot be read as a body; `status` is the HTTP status to refuse it with. */
export class InvalidBody extends Error {
  override readonly name = "InvalidBody";
  readonly status: 400 | 413 | 415 | 503;

  constructor(status: InvalidBody["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** What the bodies of several requests may take together, by what has come of them and not by what is announced. */
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
  /** Whether there is room for so many bytes more. */
  take(bytes: number): boolean;
  /** Gives back what was taken. */
  close(): void;
}

/**
 * Reads a JSON body as text: what express.raw does, without the encodings that the API server never uses (a tenth of a review).
 * Throws InvalidBody when it is not JSON by its type, too large, or cut short, or when there is no room for it.
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
    // The rest is let through, so that the answer is read.
    request.off("data", take).resume();
    reject(reason);
  };
  request.on("data", take);
  request.on("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
  request.on("error", () => reject(new InvalidBody(400, "expected a whole body, found an end before it")));
  return promise;
}

/** Ends the connection of a body that does not come, whether or not it was answered. */
export function endLate(request: IncomingMessage): void {
  const late = setTimeout(() => request.destroy(), bodyMs);
  const inTime = (): void => clearTimeout(late);
  request.on("end", inTime).on("close", inTime);
}
