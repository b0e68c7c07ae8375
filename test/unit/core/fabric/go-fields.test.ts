import { expect, test } from "vitest";
import { goFields } from "../../../../core/fabric/go-fields.ts";

const names = ["label", "blockToLive", "kind", "address"];

test.each<[string, object]>([
  ['{"label":"a","blockToLive":3}', { label: "a", blockToLive: 3 }],
  ['{"Label":"a","BLOCKTOLIVE":3}', { label: "a", blockToLive: 3 }],
  ['{"label":"a","LABEL":"b"}', { label: "b" }],
  ['{"LABEL":"b","label":"a"}', { label: "a" }],
  ['{"label":"a","Label":null}', { label: "a" }],
  ['{"label":null}', {}],
  ['{"\\u212aind":1,"addre\\u017fs":"a:1"}', { kind: 1, address: "a:1" }],
  ['{"labels":"a","inner":{"Label":null}}', { labels: "a", inner: { Label: null } }],
  ["null", {}],
  ['["label"]', {}],
  ['"label"', {}],
])("%s", (json, fields) => expect(goFields(JSON.parse(json), names)).toEqual(fields));

test("a name of JavaScript's own is a field like any other", () => {
  const fields = goFields(JSON.parse('{"__proto__":{"label":"a"}}'), names);
  expect(Object.keys(fields)).toEqual(["__proto__"]);
  expect(fields["label"]).toBeUndefined();
});
