import { expect, test } from "vitest";
import { parseCallArguments } from "../../../../../core/fabric/chaincode/chaincode-arguments.ts";

test.each([
  ['{"Args":["ReadAsset","a1"]}', ["ReadAsset", "a1"]],
  ['{"args":["ReadAsset","a1"]}', ["ReadAsset", "a1"]],
  ['{"function":"ReadAsset","Args":["a1"]}', ["ReadAsset", "a1"]],
  ['{"Function":"","ARGS":["ReadAsset","a1"]}', ["ReadAsset", "a1"]],
  ['{"function":null,"Args":["ReadAsset","a1"],"args":null}', ["ReadAsset", "a1"]],
  ['{"function":"GetAllAssets"}', ["GetAllAssets"]],
  ['{"function":"GetAllAssets","Args":null}', ["GetAllAssets"]],
  ['["ReadAsset","a1"]', ["ReadAsset", "a1"]],
  ['["Put",{"a":1},2,true,null]', ["Put", '{"a":1}', "2", "true", "null"]],
  ["[]", []],
])("%s", (text, words) => {
  expect(parseCallArguments(text)).toEqual(words);
});

test("of what is no JSON the place is said", () => {
  expect(() => parseCallArguments('{"Args":["f",]}')).toThrow(
    'expected arguments as JSON: a value, found "]" at line 1, column 14 of {"Args":["f",]}',
  );
});

test.each([
  "",
  "{",
  "5",
  "null",
  '{"Args":"x"}',
  '{"function":1,"Args":[]}',
  '{"function":["f"]}',
  '{"Args":null}',
  "{}",
])("%j is refused", (text) => {
  expect(() => parseCallArguments(text)).toThrow(expect.objectContaining({ code: "usage" }));
});
