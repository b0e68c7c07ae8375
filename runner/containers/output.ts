export type OutputStream = "stdout" | "stderr";

/** A piece of what a container wrote. */
export interface OutputChunk {
  readonly stream: OutputStream;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly data: Buffer;
}

/** A container's output: the last bytes are kept, and later ones can be followed. */
export interface Output {
  write(stream: OutputStream, data: Buffer): void;
  /** Ends the output. */
  end(): void;
  readonly ended: boolean;
  readonly kept: readonly OutputChunk[];
  /** Calls `chunk` for each further chunk, and `end` once. Returns a function that stops this. */
  follow(chunk: (chunk: OutputChunk) => void, end: () => void): () => void;
}

interface Follower {
  readonly chunk: (chunk: OutputChunk) => void;
  readonly end: () => void;
}

/** A limit, because chunks of one byte would take far more memory than their bytes. */
const mostChunks = 8192;

/** Keeps the last `most` bytes, in at most `mostChunks` chunks. */
export function newOutput(most: number, now: () => number): Output {
  const kept: OutputChunk[] = [];
  const followers = new Set<Follower>();
  let bytes = 0;
  let ended = false;
  return {
    kept,
    get ended() {
      return ended;
    },
    write(stream, data) {
      const chunk = { stream, time: now(), data };
      kept.push(chunk);
      bytes += data.length;
      while ((bytes > most || kept.length > mostChunks) && kept.length > 1) bytes -= kept.shift()?.data.length ?? 0;
      for (const follower of followers) follower.chunk(chunk);
    },
    end() {
      ended = true;
      for (const follower of followers) follower.end();
      followers.clear();
    },
    follow(chunk, end) {
      const follower = { chunk, end };
      if (ended) end();
      else followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

/** Docker's frame of multiplexed output (Engine API, ContainerAttach): stream, three zeros, length, data. */
export function frame({ stream, data }: OutputChunk): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream === "stdout" ? 1 : 2;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

export interface LogSelection {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The number of last lines; undefined for all. */
  readonly tail: number | undefined;
}

/** The chunks for GET /containers/{id}/logs: filtered, and each line with its time if wanted. */
export function selectLog(chunks: readonly OutputChunk[], selection: LogSelection): readonly OutputChunk[] {
  const wanted = chunks.filter((chunk) => selection[chunk.stream] && chunk.time >= selection.since);
  if (selection.tail === undefined && !selection.timestamps) return wanted;
  const lines = wanted.flatMap(splitLines);
  const last = selection.tail === undefined ? lines : lines.slice(Math.max(0, lines.length - selection.tail));
  return selection.timestamps ? last.map(withTime) : last;
}

function splitLines(chunk: OutputChunk): readonly OutputChunk[] {
  const lines = chunk.data.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.map((line) => ({ ...chunk, data: Buffer.from(line, "latin1") }));
}

function withTime(chunk: OutputChunk): OutputChunk {
  return { ...chunk, data: Buffer.concat([Buffer.from(`${new Date(chunk.time).toISOString()} `), chunk.data]) };
}
