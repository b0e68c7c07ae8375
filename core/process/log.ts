/** What a log line may carry: words and numbers, never a Pod, a Secret or a key. */
type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: one JSON object a line. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Names in a review were not validated before, and may be as long as the review. */
const longestField = 2000;

function cutLong(fields: LogFields): LogFields {
  const isLong = (value: LogFields[string]) => typeof value === "string" && value.length > longestField;
  if (!Object.values(fields).some(isLong)) return fields;
  const short = Object.entries(fields).map(([name, value]) =>
    isLong(value) ? [name, `${String(value).slice(0, longestField)}…`] : [name, value],
  );
  return Object.fromEntries(short) as LogFields;
}

type Level = "info" | "warn" | "error";

/** A log that writes lines, each with its time by the given clock. */
export function newLog(write: (line: string) => void, now: () => Date): Log {
  const line =
    (level: Level) =>
    (message: string, fields: LogFields = {}) => {
      write(`${JSON.stringify({ time: now().toISOString(), level, message, ...cutLong(fields) })}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** Long enough to gather the lines of many reviews, short enough for a person who follows the log. */
const gatheredMs = 50;
const gatheredCharacters = 16_384;

/** Writes lines, several at once. */
export interface GatheredLines {
  write(line: string): void;
  /** Writes the gathered lines: to be called before the process ends. */
  flush(): void;
}

/**
 * Gathers lines, because each write is a system call, which takes a twentieth of the time of a review. Warnings and errors are written
 * at once, with all lines before them: they must not be lost when the process is killed.
 */
export function gatherLines(write: (text: string) => void): GatheredLines {
  let held = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (held === "") return;
    const text = held;
    held = "";
    write(text);
  };
  return {
    flush,
    write: (line) => {
      held += line;
      if (!line.includes('"level":"info"') || held.length > gatheredCharacters) flush();
      else timer ??= setTimeout(flush, gatheredMs).unref();
    },
  };
}

/** The message of anything thrown, in one line. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s+/g, " ").slice(0, 500);
}
