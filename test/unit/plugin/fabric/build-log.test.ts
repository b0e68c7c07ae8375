import { describe, expect, test } from "vitest";
import { FabricError } from "../../../../plugin/error.ts";
import { readableBuildFailure, relevantLines } from "../../../../plugin/fabric/build-log.ts";

const failure = (output: string) =>
  new FabricError(
    "rejected",
    `_lifecycle InstallChaincode at peer0.org1: failed to invoke backing implementation of 'InstallChaincode': could not build chaincode: docker build failed: docker image build failed: Error returned from build: 1 "${output}"`,
  );

describe("a failed build", () => {
  test("shows what npm said, line by line, without its noise", () => {
    const output = [
      "npm notice New major version",
      "npm ERR! code ENOTFOUND",
      "npm ERR! request to https://registry/fabric-shim failed",
      "npm ERR! A complete log of this run can be found in: /root/.npm",
      "",
    ].join("\n");
    const readable = readableBuildFailure(failure(output));
    expect(readable).toMatchObject({
      code: "rejected",
      message: expect.stringMatching(
        /docker image build failed: the build ended with 1:\n {2}npm ERR! code ENOTFOUND\n {2}npm ERR! request/,
      ) as string,
      hint: expect.stringContaining("chaincode package --offline") as string,
    });
    expect((readable as Error).message).not.toContain("notice");
  });

  test("of a long output shows the lines that tell why, and the end", () => {
    const lines = Array.from({ length: 500 }, (_, index) =>
      index === 40 ? "main.go:7:2: undefined: x" : `line ${index}`,
    );
    const shown = relevantLines(lines.join("\n"));
    expect(shown.slice(0, 3)).toEqual(["main.go:7:2: undefined: x", "…", "line 485"]);
    expect(shown.at(-1)).toBe("line 499");
  });

  test("any other failure stays as it is", () => {
    const other = new FabricError("rejected", "access denied");
    expect(readableBuildFailure(other)).toBe(other);
  });
});
