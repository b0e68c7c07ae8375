import { describe, expect, test } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { checkNodeVersion } from "../../../plugin/node-version.ts";

describe("the version of Node", () => {
  const oldest = packageJson.engines.node.replace(">=", "");
  const [major = 0, minor = 0] = oldest.split(".").map(Number);

  test("is taken from the oldest that package.json allows", () => {
    for (const version of [`${oldest}.0`, `${major}.${minor + 10}.1`, `${major + 2}.0.0`, `${major + 76}.1.0`]) {
      expect(() => checkNodeVersion(version)).not.toThrow();
    }
  });

  test("is refused when older, naming both", () => {
    for (const version of [`${major}.${minor - 1}.9`, `${major - 1}.${minor + 10}.0`, "9.11.2"]) {
      expect(() => checkNodeVersion(version)).toThrow(`expected Node ${oldest} or newer, found ${version}`);
    }
  });
});
