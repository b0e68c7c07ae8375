import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { settingsOf } from "../core/injection/manifest/settings-source.ts";
import { defaultSettings, type InjectionSettings } from "../core/injection/settings.ts";
import { reasonOf, type Log } from "../core/process/log.ts";

/** A mounted ConfigMap changes by a swap of links, which no watch of a file sees on every system: it is read again instead. */
const readMs = 5000;

/** The operator's settings, from the last valid read. */
export interface SettingsFile {
  settings(): InjectionSettings;
  /** Reads the file repeatedly until the signal is aborted. Bad settings are reported and change nothing. */
  run(signal: AbortSignal): Promise<void>;
}

export interface SettingsFileDependencies {
  readonly log: Log;
  readonly valid: (valid: boolean) => void;
  readonly readMs?: number;
}

/** Reads settings from a file; the defaults without a path. Throws Error when the file cannot be read, `invalid` when a value is bad. */
export async function openSettings(
  path: string | undefined,
  dependencies: SettingsFileDependencies,
): Promise<SettingsFile> {
  if (path === undefined) {
    dependencies.valid(true);
    return { settings: () => defaultSettings, run: async () => {} };
  }
  let text = await readFile(path, "utf8");
  let settings = settingsOf(text, path);
  let taken = text;
  dependencies.valid(true);

  const readAgain = async (): Promise<void> => {
    const next = await readFile(path, "utf8");
    if (next !== text) {
      text = next;
      settings = settingsOf(next, path);
      taken = next;
      dependencies.log.info("settings were read again");
    }
    // The same text is said to be valid again: a read before may have failed.
    if (next === taken) dependencies.valid(true);
  };

  return {
    settings: () => settings,
    run: async (signal) => {
      while (!signal.aborted) {
        await sleep(dependencies.readMs ?? readMs, undefined, { signal }).catch(() => {});
        await readAgain().catch((thrown: unknown) => {
          dependencies.valid(false);
          dependencies.log.error("settings are not taken; those before stay", { reason: reasonOf(thrown) });
        });
      }
    },
  };
}
