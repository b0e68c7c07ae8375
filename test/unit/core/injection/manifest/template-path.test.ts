import { expect, test } from "vitest";
import { templatePath, templatesBelow } from "../../../../../core/injection/manifest/template-path.ts";

test.each([
  ["spec.template", ["spec", "template"]],
  [".spec.peers[*].template", ["spec", "peers", { each: true }, "template"]],
  ["{.spec['a.b'][0]}", ["spec", "a.b", 0]],
  ['$.spec["pod-template"]', ["spec", "pod-template"]],
])("%s", (text, path) => {
  expect(templatePath(text)).toEqual(path);
});

test.each(["", "{}", "spec..a", "spec.a[", "spec.a[x]", "spec a", "$", "spec.a[*]b c"])("%j is no path", (text) => {
  expect(() => templatePath(text)).toThrow(/expected a path such as/);
});

test("it leads to what has containers, and to nothing else", () => {
  const template = { spec: { containers: [] } };
  const object = { spec: { peers: [{ template }, { template: {} }, {}, { template }] } };
  const at = (text: string) => templatesBelow(object, templatePath(text)).map(({ path }) => path);
  expect(at("spec.peers[*].template")).toEqual([
    ["spec", "peers", 0, "template"],
    ["spec", "peers", 3, "template"],
  ]);
  expect(at("spec.peers[3].template")).toEqual([["spec", "peers", 3, "template"]]);
  expect([...at("spec.peers[1].template"), ...at("spec.constructor"), ...at("spec[0]"), ...at("spec")]).toEqual([]);
});
