/** What a log line may carry: words and numbers, never a Pod, a Secret or a key. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: one JSON object a line. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

type Level = "info" | "warn" | "error";

/** A log that writes lines, each with its time by the given clock. */
export function newLog(write: (line: string) => void, now: () => Date): Log {
  const line =
    (level: Level) =>
    (message: string, fields: LogFields = {}) => {
      write(`${JSON.stringify({ time: now().toISOString(), level, message, ...fields })}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** The message of anything thrown, in one line. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s+/g, " ").slice(0, 500);
}
