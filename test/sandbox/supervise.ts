import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../../core/error.ts";
import { lastLines } from "./command.ts";
import type { Component, ComponentName } from "./components.ts";
import type { Layout } from "./layout.ts";
import { runningAs } from "./processes.ts";

export const programOf = (layout: Layout, name: ComponentName) => join(layout.bin, name);
const logOf = (layout: Layout, name: ComponentName) => join(layout.logs, `${name}.log`);

export function isRunning(layout: Layout, name: ComponentName): boolean {
  return runningAs(programOf(layout, name)).length > 0;
}

/**
 * Starts a component unless it runs. It outlives us, in a session of its own.
 * @returns whether it was started
 */
export function startComponent(layout: Layout, component: Component): boolean {
  if (isRunning(layout, component.name)) return false;
  const log = openSync(logOf(layout, component.name), "a");
  const program = programOf(layout, component.name);
  const environment = { ...process.env, PATH: `${layout.bin}:${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const child = spawn(program, [...component.args], { detached: true, stdio: ["ignore", log, log], env: environment });
  child.on("error", () => {}); // seen as a component that does not run
  child.unref();
  closeSync(log);
  return true;
}

export interface Expectation {
  readonly what: string;
  /** Components without which waiting is useless. */
  readonly needs: readonly ComponentName[];
  readonly seconds: number;
  readonly holds: () => Promise<boolean>;
}

/** Waits until something holds. Throws `not-ready` when a component that it needs ends, `timeout` when the time is over. */
export async function waitUntil(layout: Layout, expected: Expectation, signal?: AbortSignal): Promise<void> {
  const end = Date.now() + expected.seconds * 1000;
  while (!(await expected.holds())) {
    if (signal?.aborted) throw new FabricError("interrupted", `interrupted while waiting for ${expected.what}`);
    for (const name of expected.needs) if (!isRunning(layout, name)) throw componentEnded(layout, name);
    if (Date.now() > end) throw tooSlow(layout, expected);
    await sleep(100);
  }
}

function componentEnded(layout: Layout, name: ComponentName): FabricError {
  return new FabricError(
    "not-ready",
    `expected ${name} to keep running, found that it ended:\n${endOfLog(layout, name)}`,
    {
      hint: `see ${logOf(layout, name)}; then npm run sandbox -- down, and up again`,
    },
  );
}

function tooSlow(layout: Layout, { what, needs, seconds }: Expectation): FabricError {
  const name = needs.at(-1);
  const log = name === undefined ? "" : `; the last that ${name} says:\n${endOfLog(layout, name)}`;
  return new FabricError("timeout", `expected ${what} within ${seconds} s, found it not so${log}`, {
    hint: `see ${layout.logs}; then npm run sandbox -- down, and up again`,
  });
}

function endOfLog(layout: Layout, name: ComponentName): string {
  const log = logOf(layout, name);
  return existsSync(log) ? lastLines(readFileSync(log, "utf8"), 8) : "(it printed nothing)";
}
