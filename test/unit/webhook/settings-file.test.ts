import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { settingsOf } from "../../../core/injection/manifest/settings-source.ts";
import { newLog } from "../../../core/process/log.ts";
import { openSettings, type SettingsFile } from "../../../webhook/settings-file.ts";

const patience = { timeout: 20_000 };

let directory: string;
let file: string;
/** What the metric was set to, one after another. */
let valid: boolean[];
let lines: string[];
let ending: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "settings-"));
  file = join(directory, "settings.yaml");
  [valid, lines, ending, running] = [[], [], new AbortController(), Promise.resolve()];
});

afterEach(async () => {
  ending.abort();
  await running;
  await rm(directory, { recursive: true });
});

/** At once, as a mounted ConfigMap changes: nobody reads a part. */
async function put(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function open(text: string): Promise<SettingsFile> {
  await put(text);
  const log = newLog(
    (line) => lines.push(line),
    () => new Date(),
  );
  const settings = await openSettings(file, { log, valid: (is) => valid.push(is), readMs: 5 });
  running = settings.run(ending.signal);
  return settings;
}

const lastValid = (is: boolean) => vi.waitUntil(() => valid.at(-1) === is, patience);

test("are valid again when a read that failed succeeds, though the text is the same", async () => {
  const settings = await open("dockerSocket: {default: deny}");
  await rm(file);
  await lastValid(false);
  await put("dockerSocket: {default: deny}");
  await lastValid(true);
  expect(settings.settings().dockerSocket.default).toBe("deny");
});

test("stay those before while the text is bad, also when it was away in between", async () => {
  const settings = await open("dockerSocket: {default: deny}");
  await put("profil: x");
  await lastValid(false);
  const before = valid.filter((is) => is).length;
  await rm(file);
  await vi.waitFor(() => expect(lines.join("")).toContain("ENOENT"), patience);
  await put("profil: x");
  expect(settings.settings().dockerSocket.default).toBe("deny");
  expect(valid.filter((is) => is)).toHaveLength(before);
  await put("dockerSocket: {default: keep}");
  await vi.waitFor(() => expect(settings.settings().dockerSocket.default).toBe("keep"), patience);
  await lastValid(true);
});

test.each([
  ["storage: {claims: no}", { storage: { claims: false } }],
  ["storage: {claims: off}", { storage: { claims: false } }],
  ["resources: {cpuLimit: {default: 3}}", { resources: { cpuLimit: { default: "3" } } }],
  ['{"ownDaemon": "deny"}', { ownDaemon: "deny" }],
  ["", { ownDaemon: "allow" }],
])("are understood as by `kubectl fabric inject --settings`: %s", async (text, said) => {
  const settings = await open(text);
  expect(settings.settings()).toMatchObject(said);
  expect(settings.settings()).toEqual(settingsOf(text, "settings.yaml"));
});
