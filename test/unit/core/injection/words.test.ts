// The small languages of the injection: quantities, versions, images, list edits.
import * as fc from "fast-check";
import jsonPatch from "fast-json-patch";
import { expect, test } from "vitest";
import { imageMatches, imageVersion, parseImage } from "../../../../core/injection/image.ts";
import { listOperations } from "../../../../core/injection/list-edit.ts";
import { cpuQuantity, memoryQuantity, nanoUnits, quantity } from "../../../../core/injection/quantity.ts";
import { compareVersions, isOlder, parseVersion } from "../../../../core/injection/version.ts";

test.each([
  ["500m", 0.5],
  ["2", 2],
  ["1.5Gi", 1.5 * 2 ** 30],
  [".5", 0.5],
  ["1e3", 1000],
  ["12E2", 1200],
  ["1E", 1e18],
  ["1Ki", 1024],
  ["100u", 1e-4],
])("the quantity %s", (text, size) => {
  expect(quantity(text)).toBeCloseTo(size, 12);
});

test.each(["", "-1", "1 Gi", "Gi", "1gi", "1KB", "0x10", "1e", "NaN", "1Gi\n"])("%j is no quantity", (text) => {
  expect(quantity(text)).toBeUndefined();
});

test.each([
  [["500m", "1"], "1500m"],
  [["1.0005", "100n"], "1001m"],
  [["0.5", ".5"], "1"],
  [["1e-3", "2E0"], "2001m"],
  [["0", "0"], "0"],
])("the CPU of %j together", (texts, together) => {
  expect(cpuQuantity(sumOf(texts))).toBe(together);
});

test.each([
  [["200Mi", "256Mi"], "456Mi"],
  [["1.5Gi", "512Mi"], "2Gi"],
  [["1G", "2e9"], "3G"],
  [["1G", "1Gi"], "2073741824"],
  [["0.1Gi", "0"], "107374183"],
  [["100m", "0"], "1"],
  [["1000Ki", "24Ki"], "1Mi"],
  [["15E", "1Ei"], "15774337406842624Ki"],
  [["0", "0"], "0"],
])("the memory of %j together", (texts, together) => {
  expect(memoryQuantity(sumOf(texts))).toBe(together);
});

test("a sum is written exactly, but for what is below the finest that counts", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 70n }), (nano) => {
      const [cpu, memory] = [nanoUnits(cpuQuantity(nano)) ?? -1n, nanoUnits(memoryQuantity(nano)) ?? -1n];
      expect([cpu >= nano, cpu - nano < 10n ** 6n, memory >= nano, memory - nano < 10n ** 9n]).not.toContain(false);
    }),
  );
});

test.each(["", "-1", "1 GB", "0x10", "9".repeat(50)])("%j is nothing to add", (text) => {
  expect(nanoUnits(text)).toBeUndefined();
});

const sumOf = (texts: readonly string[]): bigint => texts.reduce((sum, text) => sum + (nanoUnits(text) ?? 0n), 0n);

test.each([
  ["v1.33.2-gke.1", { major: 1, minor: 33, patch: 2 }],
  ["1.29+", { major: 1, minor: 29, patch: undefined }],
  ["amd64-1.4.0", { major: 1, minor: 4, patch: 0 }],
  ["2.5", { major: 2, minor: 5, patch: undefined }],
])("the version %s", (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test("an unknown patch level is not known to be older", () => {
  const floating = { major: 2, minor: 5, patch: undefined };
  expect(isOlder(floating, "2.5.15")).toBe(false);
  expect(isOlder({ ...floating, patch: 14 }, "2.5.15")).toBe(true);
  expect(isOlder(floating, "2.6")).toBe(true);
  expect(compareVersions(floating, floating)).toBe(0);
});

test.each([
  ["docker:28-dind", { repository: "docker.io/library/docker", tag: "28-dind", digest: undefined }],
  ["hyperledger/fabric-peer", { repository: "docker.io/hyperledger/fabric-peer", tag: undefined, digest: undefined }],
  ["docker.io/docker", { repository: "docker.io/library/docker", tag: undefined, digest: undefined }],
  ["localhost:5000/a/b:1", { repository: "localhost:5000/a/b", tag: "1", digest: undefined }],
])("the image %s", (text, image) => {
  expect(parseImage(text)).toEqual(image);
});

test.each(["", "a b", "UPPER", "a/UPPER", "a:", "a@sha256:12", "-a", "-a/b", "--a/b", "a;b", "https://a/b"])(
  "%j is no image",
  (text) => {
    expect(parseImage(text)).toBeUndefined();
  },
);

const digest = `sha256:${"0".repeat(64)}`;

test.each([
  ["docker:28-dind", "docker.io/library/docker", true],
  ["docker:28-dind", "docker.io/library/docker:*-dind", true],
  ["docker:28", "docker.io/library/docker:*-dind", false],
  ["docker", "docker.io/library/docker:*-dind", false],
  ["evil.example.com/docker:28-dind", "docker.io/library/docker:*-dind", false],
  ["docker:28-dind", "docker.io/library/docker:28.dind", false],
  ["registry.local/a/b:1", "registry.local/*", true],
  ["registry.local.evil.com/a:1", "registry.local/*", false],
  // A tag beside a digest decides nothing about what is pulled.
  [`docker:28-dind@${digest}`, "docker.io/library/docker:28-dind", false],
  [`docker:28-dind@${digest}`, `docker.io/library/docker@${digest}`, true],
  [`docker@${digest}`, "docker.io/library/docker", true],
  [`docker:28-dind@${digest}`, "docker.io/library/docker:*", false],
  [`docker:28-dind@${digest}`, "docker.io/library/docker:*-dind@sha256:*", true],
  ["docker:28-dind", "docker.io/library/docker*@sha256:*", false],
  ["registry.local/a/b:1-x", "registry.local/*/b:*-x", true],
  ["registry.local/ab:1", "registry.local/a*ab:1", false],
  ["registry.local/a:1", "registry.local/*a*a:1", false],
])("whether %s is within %s: %s", (image, entry, expected) => {
  const parsed = parseImage(image);
  if (parsed === undefined) throw new Error(image);
  expect(imageMatches(parsed, entry)).toBe(expected);
});

test("a pattern of many stars takes linear time over the longest image", () => {
  const longest = { repository: `a/${"ab".repeat(120_000)}c`, tag: undefined, digest: undefined };
  expect(imageMatches(longest, `${"*ab".repeat(10)}*d`)).toBe(false);
  expect(parseImage(`${"a/".repeat(300)}a`)).toBeUndefined();
});

test("the version of an image is told by its tag alone", () => {
  const versionOf = (reference: string) =>
    imageVersion(parseImage(reference) ?? { repository: "", tag: undefined, digest: undefined });
  expect(versionOf("docker:29-dind")).toEqual({ major: 29, minor: 0, patch: undefined });
  expect(versionOf("docker:dind")).toBeUndefined();
  expect(versionOf("docker:latest")).toBeUndefined();
  expect(versionOf(`docker@${digest}`)).toBeUndefined();
});

test("a list edit and its operations agree", () => {
  const edit = fc.record({
    list: fc.option(fc.array(fc.nat(), { maxLength: 6 })),
    prepend: fc.array(fc.nat()),
    append: fc.array(fc.nat()),
    seed: fc.array(fc.constantFrom("keep", "remove", "replace"), { minLength: 6, maxLength: 6 }),
  });
  fc.assert(
    fc.property(edit, ({ list, prepend, append, seed }) => {
      const places = (list ?? []).map((value, index) => ({ value, index, fate: seed[index] }));
      const replace = places
        .filter(({ fate }) => fate === "replace")
        .map(({ index, value }) => ({ index, value: value + 1 }));
      const remove = places.filter(({ fate }) => fate === "remove").map(({ index }) => index);
      const kept = places
        .filter(({ fate }) => fate !== "remove")
        .map(({ value, fate }) => (fate === "replace" ? value + 1 : value));
      const operations = listOperations("/list", list, { replace, remove, prepend, append });
      const result = jsonPatch.applyPatch({ list: structuredClone(list) ?? undefined }, operations, true).newDocument;
      expect(result.list ?? []).toEqual([...prepend, ...kept, ...append]);
    }),
  );
});
