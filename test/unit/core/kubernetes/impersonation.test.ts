import { describe, expect, test } from "vitest";
import { readKubeconfigFile } from "../../../../core/kubernetes/kubeconfig-file.ts";
import { impersonationOf } from "../../../../core/kubernetes/impersonation.ts";

/** Headers of the user ann in a kubeconfig with these lines. */
function headersOf(...lines: readonly string[]) {
  const content = ["users:", "- name: ann", "  user:", ...lines.map((line) => `    ${line}`)].join("\n");
  return impersonationOf(readKubeconfigFile(content, "config").users.get("ann")?.fields ?? {}, "user ann in config");
}

describe("whom a kubeconfig's user impersonates", () => {
  test("is told as client-go tells it: groups one by one, keys of extra in letters that a header may have", () => {
    expect(
      headersOf(
        "as: jane",
        'as-uid: "42"',
        "as-groups: [developers, admins]",
        "as-user-extra: {reason: [urgent, asked], example.com/größe%: [xl]}",
      ),
    ).toEqual({
      "Impersonate-User": "jane",
      "Impersonate-Uid": "42",
      "Impersonate-Group": ["developers", "admins"],
      "Impersonate-Extra-reason": ["urgent", "asked"],
      "Impersonate-Extra-example.com%2Fgr%C3%B6%C3%9Fe%25": ["xl"],
    });
  });

  test("is nobody where nothing says so", () => {
    expect(headersOf("token: as-groups")).toEqual({});
    expect(headersOf("as: ''", "as-groups: []", "as-user-extra: {}")).toEqual({});
  });

  test.each([
    ["groups without a user", ["as-groups: [admins]"], /expected as beside as-uid, as-groups and as-user-extra/],
    ["an uid without a user", ["as-uid: a"], /expected as beside/],
    ["a number for an uid", ["as: jane", "as-uid: 42"], /expected text in users\[0\]\.user\.as-uid, found a number/],
    ["a line break", ['as: "jane\\nAuthorization: no"'], /without line breaks/],
    ["a text for groups", ["as: jane", "as-groups: admins"], /expected a list in users\[0\]\.user\.as-groups/],
    [
      "a text for extra",
      ["as: jane", "as-user-extra: {reason: asked}"],
      /expected a list in users\[0\]\.user\.as-user-extra\.reason/,
    ],
  ])("%s is refused, as kubectl does", (_, lines, said) => {
    expect(() => headersOf(...lines)).toThrow(said);
  });
});
