import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { FabricError, LostConnection } from "../error.ts";

/** A message of the daemon while it pulls, loads or builds (moby pkg/jsonmessage): a line of JSON. */
export interface DaemonMessage {
  readonly stream?: string;
  readonly status?: string;
  /** A layer. */
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly errorDetail?: { readonly message?: string };
  readonly error?: string;
}

/** The daemon's messages as they come. Throws `rejected` at the first error: the HTTP status was 200 already. */
export async function* daemonMessages(body: Readable, what: string): AsyncGenerator<DaemonMessage, void, void> {
  for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
    if (line.trim() === "") continue;
    const message = parseMessage(line);
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw new FabricError("rejected", `${what}: ${failure}`);
    yield message;
  }
  if (body.errored) throw new LostConnection(`${what}: the connection was lost`, { cause: body.errored });
}

function parseMessage(line: string): DaemonMessage {
  try {
    return JSON.parse(line) as DaemonMessage;
  } catch {
    return { stream: `${line}\n` };
  }
}

/** The progress of a pull: "3 of 7 layers" for a message of a layer, undefined for others. Keeps the layers seen so far. */
export function newLayerCount(): (message: DaemonMessage) => string | undefined {
  const done = new Map<string, boolean>();
  return ({ id, status = "" }) => {
    if (id === undefined || !isLayer(id)) return undefined;
    done.set(id, /^(Pull complete|Already exists|Loading layer complete)/.test(status) || done.get(id) === true);
    return `${[...done.values()].filter(Boolean).length} of ${done.size} layers`;
  };
}

/** Whether an id names a layer. A pull has messages whose id is the tag. */
function isLayer(id: string): boolean {
  return /^[0-9a-f]{12}$/.test(id);
}
