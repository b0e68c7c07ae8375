// Every message names a heading of docs/injection.md: it has to be there.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { annotationKeys, documentationOf, annotationPrefix } from "../../../../core/injection/annotations.ts";
import { profileNames } from "../../../../core/injection/profile.ts";
import { defaultSettings } from "../../../../core/injection/settings.ts";

const repository = join(import.meta.dirname, "../../../..");
const page = readFileSync(join(repository, "docs/injection.md"), "utf8");

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
  const written = Object.values(annotationKeys).filter(
    (key) => key !== annotationKeys.injected && key !== annotationKeys.original,
  );
  expect(written.filter((key) => !anchors.has(key.slice(annotationPrefix.length)))).toEqual([]);
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
  const words = [...profileNames, ...Object.keys(defaultSettings), ...Object.keys(defaultSettings.resources)];
  expect(words.filter((word) => !page.includes(`\`${word}`) && !page.includes(`.${word}`))).toEqual([]);
});
