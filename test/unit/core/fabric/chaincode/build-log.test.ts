import { describe, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import { readableBuildFailure, relevantLines } from "../../../../../core/fabric/chaincode/build-log.ts";
import { typedAs } from "../../../../typed-as.ts";

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
      hint: typedAs(expect.stringContaining("chaincode package --offline")),
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

  test.each([
    [
      'Failed to pull hyperledger/fabric-nodeenv:2.5: API error (500): Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.96.0.10:53: read udp 10.244.0.7:41718->10.96.0.10:53: i/o timeout',
      "expected the image hyperledger/fabric-nodeenv:2.5 in the peer's Docker daemon, which cannot pull it: API error (500): " +
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.96.0.10:53: read udp: i/o timeout',
      "docker save hyperledger/fabric-nodeenv:2.5 -o nodeenv.tar",
    ],
    [
      "Failed to wait pull registry:5000/own/javaenv@sha256:0a: toomanyrequests",
      "expected the image registry:5000/own/javaenv@sha256:0a in the peer's Docker daemon, which cannot pull it: toomanyrequests",
      "docker save registry:5000/own/javaenv@sha256:0a -o javaenv.tar",
    ],
  ])("that is for want of the image to build with is the same for all peers: %s", (said, message, hint) => {
    const at = "_lifecycle InstallChaincode at peer0.org1: could not build chaincode: docker build failed: ";
    expect(readableBuildFailure(new FabricError("rejected", `${at}platform builder failed: ${said}`))).toMatchObject({
      code: "rejected",
      message,
      hint: typedAs(
        `where there is a registry: ${hint}; then the same command with --load-image ${hint.split(" ").at(-1)}`,
      ),
    });
  });

  test("any other failure stays as it is", () => {
    const other = new FabricError("rejected", "access denied");
    expect(readableBuildFailure(other)).toBe(other);
  });
});
