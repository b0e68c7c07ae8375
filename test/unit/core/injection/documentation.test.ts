// Every message names a heading of docs/injection.md: it has to be there.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ANNOTATIONS, documentationOf, PREFIX } from "../../../../core/injection/annotations.ts";
import { PROFILE_NAMES } from "../../../../core/injection/profile.ts";
import { DEFAULT_SETTINGS } from "../../../../core/injection/settings.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const page = readFileSync(join(ROOT, "docs/injection.md"), "utf8");

/** As GitHub makes anchors of headings. */
const anchors = new Set(
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replace(/\s+/g, "-"),
  ),
);

test("every annotation that a user may write has a heading", () => {
  const written = Object.values(ANNOTATIONS).filter(
    (key) => key !== ANNOTATIONS.injected && key !== ANNOTATIONS.original,
  );
  expect(written.filter((key) => !anchors.has(key.slice(PREFIX.length)))).toEqual([]);
});

test("every place that a message names is there", () => {
  const golden = join(import.meta.dirname, "golden");
  const denials = readdirSync(golden, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith("denial.txt"),
  );
  const named = denials.flatMap((file) => [
    ...readFileSync(join(golden, file), "utf8").matchAll(/docs\/injection\.md#([\w-]+)/g),
  ]);
  const places = new Set([...named.map(([, anchor = ""]) => anchor), documentationOf("settings").split("#")[1] ?? ""]);
  expect(places.size).toBeGreaterThan(10);
  expect([...places].filter((anchor) => !anchors.has(anchor))).toEqual([]);
});

test("profiles and settings are explained", () => {
  const words = [...PROFILE_NAMES, ...Object.keys(DEFAULT_SETTINGS), ...Object.keys(DEFAULT_SETTINGS.resources)];
  expect(words.filter((word) => !page.includes(`\`${word}`) && !page.includes(`.${word}`))).toEqual([]);
});
