import { describe, expect, test } from "vitest";
import { impersonationOf } from "../../../../core/kubernetes/impersonation.ts";

/** Headers of the user ann in a kubeconfig with these lines. */
const headersOf = (...lines: readonly string[]) =>
  impersonationOf(
    "ann",
    ["users:", "- name: ann", "  user:", ...lines.map((line) => `    ${line}`)].join("\n"),
    "config",
  );

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
    for (const content of ["users: null\nas: b", "users: [null]\nas: b", ""])
      expect(impersonationOf("ann", content, "config")).toEqual({});
  });

  test("is the first one's of two users of a name", () => {
    const users = [
      { name: "ann", user: { as: "jane" } },
      { name: "ann", user: { as: "joe" } },
    ];
    expect(impersonationOf("ann", JSON.stringify({ users }), "config")).toEqual({ "Impersonate-User": "jane" });
  });

  test("is not asked of users that are not used", () => {
    const users = [
      { name: "joe", user: { "as-groups": ["admins"] } },
      { name: "ann", user: {} },
    ];
    expect(impersonationOf("ann", JSON.stringify({ users }), "config")).toEqual({});
    expect(() => impersonationOf("joe", JSON.stringify({ users }), "config")).toThrow(/expected as beside/);
  });

  test.each([
    ["groups without a user", ["as-groups: [admins]"], /expected as beside as-uid, as-groups and as-user-extra/],
    ["an uid without a user", ["as-uid: a"], /expected as beside/],
    ["a number for an uid", ["as: jane", "as-uid: 42"], /expected text in as-uid of user ann in config, found 42/],
    ["a text for groups", ["as: jane", "as-groups: admins"], /expected a list of texts in as-groups/],
    ["a text for extra", ["as: jane", "as-user-extra: {reason: asked}"], /expected a list of texts in as-user-extra/],
  ])("%s is refused, as kubectl does", (_, lines, said) => {
    expect(() => headersOf(...lines)).toThrow(said);
  });
});
