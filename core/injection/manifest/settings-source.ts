import { sentenceOf } from "../outcome.ts";
import { defaultSettings, parseSettings, type InjectionSettings } from "../settings.ts";
import { FabricError } from "../../error.ts";
import { readManifest } from "./manifest.ts";
import { fieldsOf } from "./pod-template.ts";

/** Key of the ConfigMap that holds an operator's settings (manifests/base/settings.yaml). */
export const settingsKey = "settings.yaml";

/**
 * The operator's settings from a text: the settings themselves, or the ConfigMap that holds them, as kubectl prints it.
 * Throws `invalid` when a value is not allowed; the message names every bad value and what is allowed.
 */
export function settingsOf(text: string | undefined, source: string): InjectionSettings {
  if (text === undefined) return defaultSettings;
  const documents = readManifest(text, source);
  const [repeated] = documents.flatMap((document) => document.repeated);
  if (repeated !== undefined) {
    const [key, lines] = [repeated.path.join("."), repeated.lines.join(", ")];
    throw new FabricError("invalid", `${source}: expected each key once, found ${key} in lines ${lines}`);
  }
  const [only, another] = documents
    .map(({ object }) => object)
    .filter((object) => object !== null && object !== undefined);
  if (another !== undefined) throw new FabricError("invalid", `${source}: expected one document, found several`);
  const fields = fieldsOf(only);
  if (fields["kind"] === "ConfigMap") return ofConfigMap(fields, source);
  const parsed = parseSettings(only);
  if (parsed.valid) return parsed.settings;
  throw new FabricError("invalid", `${source}: ${parsed.problems.map(sentenceOf).join("; ")}`);
}

function ofConfigMap(fields: Readonly<Record<string, unknown>>, source: string): InjectionSettings {
  const text = fieldsOf(fields["data"])[settingsKey];
  if (typeof text === "string") return settingsOf(text, `${source}, ${settingsKey}`);
  throw new FabricError("invalid", `${source}: expected a ConfigMap with the key ${settingsKey}, found none`);
}
