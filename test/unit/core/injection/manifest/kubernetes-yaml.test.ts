// What kubectl 1.33 printed for these texts (`kubectl annotate --local -o json`), and what Go's sources say of the rest.
import { describe, expect, test } from "vitest";
import { Document } from "yaml";
import { parseYaml, valueOf, yamlOptions } from "../../../../../core/injection/manifest/kubernetes-yaml.ts";

const read = (text: string): unknown => valueOf(parseYaml(text)).value;

test.each([
  ["on", true],
  ["yes", true],
  ["y", true],
  ["N", false],
  ["OFF", false],
  ["oN", "oN"],
  ["0777", 511],
  ["0o17", 15],
  ["0x1F", 31],
  ["0b11", 3],
  ["0_7", 7],
  ["08", 8],
  ["+1", 1],
  ["-0", 0],
  ["-0x10", -16],
  ["1_000", 1000],
  ["1_0.5", 10.5],
  ["1e3", 1000],
  ["1.", 1],
  [".5", 0.5],
  [".5_0", ".5_0"],
  ["1e", "1e"],
  ["0x", "0x"],
  ["1:30", "1:30"],
  ["2020-01-01", "2020-01-01"],
  ["2.5.15", "2.5.15"],
  ["100m", "100m"],
  ["=", "="],
  ["~", null],
  ["", null],
  ["Null", null],
  ["!!str 5", "5"],
  ["'on'", "on"],
  ['"0777"', "0777"],
])("%s is read as %j", (text, value) => {
  expect(read(`a: ${text}`)).toEqual({ a: value });
});

test("keys are texts, however they look", () => {
  expect(read("1: a\non: b\n1.5: c\n__proto__: d\n")).toEqual(
    JSON.parse('{"1":"a","true":"b","1.5":"c","__proto__":"d"}'),
  );
});

test("the last of equal keys counts, and they are named with their places", () => {
  const { value, repeated } = valueOf(parseYaml("a: {b: 1, c: 2, b: 3}\nd: [{e: 1, e: 2}]\na: {b: 4}\n"));
  expect(value).toEqual({ a: { b: 4 }, d: [{ e: 2 }] });
  expect(repeated).toEqual([
    { path: ["a"], offsets: [0, 40] },
    { path: ["a", "b"], offsets: [4, 16] },
    { path: ["d", 0, "e"], offsets: [27, 33] },
  ]);
});

test("a merge key counts where it stands: keys before it less, keys after it more", () => {
  expect(read("x: &x {k: merged, j: merged}\ndata:\n  k: own\n  <<: *x\n  j: own\n")).toEqual({
    x: { k: "merged", j: "merged" },
    data: { k: "merged", j: "own" },
  });
  expect(read("x: &x {k: 1, j: 1}\ny: &y {k: 2, i: 2}\nz: {<<: [*x, *y]}\n")).toMatchObject({
    z: { k: 1, j: 1, i: 2 },
  });
  expect(read("x: &x 1\nz: [*x, &x 2, *x]\n")).toEqual({ x: 1, z: [1, 2, 2] });
});

describe("what kubectl refuses is refused", () => {
  test.each([
    ["a: *b", /no anchor/],
    ["a: &a [*a]", /contains itself/],
    ["a: {<<: 1}", /merge key/],
    ["{~: a}", /keys that are texts/],
    ["? [a]\n: b", /keys that are texts/],
    ["a: .inf", /without end/],
    [`a: &a [${"x,".repeat(99)}x]\nb: &b [${"*a,".repeat(99)}*a]\nc: [${"*b,".repeat(99)}*b]`, /aliases repeat/],
  ])("%s", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe("what nobody has changed is written as it was", () => {
  test.each([
    "a: 0x1F",
    "a: 1_000",
    "a: +1",
    "a: 1.10",
    "a: .5",
    "a: 12345678901234567890",
    "a: on",
    "a: ~",
    "a: 1:30",
    "a: 2020-01-01",
    "a: 'on'",
    'a: "0777"',
    "0777: {on: 0o17}",
    "<<: {a: 1}",
  ])("%s", (text) => {
    const document = parseYaml(text);
    if (document.directives !== undefined) document.directives.yaml.explicit = false;
    expect(document.toString({ flowCollectionPadding: false })).toBe(`${text}\n`);
  });
});

test.each(["on", "y", "0777", "0o17", "1_000", "1:30", "2020-01-01", "~", "", "1e3", ".5", "no"])(
  "the text %j is written in quotes, so that nobody reads another value",
  (value) => {
    expect(new Document([value], yamlOptions).toString()).toMatch(/- ["']/);
  },
);

test.each(["peer", "100m", "2Gi", "2.5.15", "docker:28-dind"])("%j needs no quotes", (value) => {
  expect(new Document([value], yamlOptions).toString()).not.toMatch(/["']/);
});
