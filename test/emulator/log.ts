/** Writes one line to standard error in the shape of Fabric's logs. */
export type Log = (message: string) => void;

export function newLog(component: string): Log {
  return (message) => {
    const time = new Date().toISOString().replace("T", " ").replace("Z", " UTC");
    process.stderr.write(`${time} [${component}] ${message}\n`);
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
