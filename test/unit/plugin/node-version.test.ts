import { describe, expect, test } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { checkNodeVersion } from "../../../plugin/node-version.ts";

describe("the version of Node", () => {
  const oldest = Number.parseInt(packageJson.engines.node.replace(">=", ""), 10);

  test("is taken from the oldest that package.json allows", () => {
    expect(() => checkNodeVersion(`${oldest}.0.0`)).not.toThrow();
    expect(() => checkNodeVersion(`${oldest + 2}.10.1`)).not.toThrow();
  });

  test("is refused when older, naming both", () => {
    expect(() => checkNodeVersion(`${oldest - 1}.9.0`)).toThrow(
      `expected Node ${oldest} or newer, found ${oldest - 1}.9.0`,
    );
  });
});
