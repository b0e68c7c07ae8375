/** Tells a person what is happening, a line at a time. */
export interface Progress {
  say(text: string): void;
}

/** Lines with the seconds since the start. `now` is in milliseconds. */
export function newProgress(write: (line: string) => void, now: () => number = Date.now): Progress {
  const start = now();
  return {
    say: (text) => write(`[${((now() - start) / 1000).toFixed(1).padStart(6)} s] ${text}\n`),
  };
}

export const silent: Progress = { say: () => {} };
