import { describe, expect, test } from "vitest";
import { ApiError, isConflict, isNotFound, parseStatus } from "../../../../core/kubernetes/api-error.ts";
import { typedHint } from "../../../typed-as.ts";

const refusal = (httpStatus: number, message: string) => new ApiError(httpStatus, { message }, "kind");

describe("ApiError", () => {
  test.each([
    [401, "Unauthorized", "forbidden", /log in again/],
    [
      403,
      'statefulsets.apps is forbidden: User "ann" cannot create resource "statefulsets" in API group "apps" in the namespace "org1"',
      "forbidden",
      /^kubectl auth can-i create statefulsets\.apps -n org1$/,
    ],
    [
      403,
      'nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope',
      "forbidden",
      /^kubectl auth can-i list nodes$/,
    ],
    [
      403,
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
      "forbidden",
      /pod-security\.kubernetes\.io\/enforce/,
    ],
    [404, 'pods "x" not found', "not-found", /^none$/],
    [409, "already exists", "conflict", /^none$/],
    [422, 'Service "x" is invalid', "invalid", /^none$/],
    [503, "starting", "not-ready", /try again/],
    [
      500,
      'Internal error occurred: failed calling webhook "dind.kubectl-fabric.io": connection refused',
      "internal",
      /dind\.kubectl-fabric\.io/,
    ],
  ])("%i %s", (httpStatus, message, code, hint) => {
    const error = refusal(httpStatus, message);
    expect(error).toMatchObject({ code, httpStatus });
    expect(error.message).toContain(message);
    expect(typedHint(error) || "none").toMatch(hint);
  });

  test("tells absence and conflict apart", () => {
    expect([
      isNotFound(refusal(404, "")),
      isNotFound(refusal(409, "")),
      isConflict(refusal(409, "")),
      isConflict(new Error("x")),
    ]).toEqual([true, false, true, false]);
  });
});

describe("parseStatus", () => {
  test("a Status is read", () => {
    expect(parseStatus(404, '{"kind":"Status","message":"no"}')).toEqual({ kind: "Status", message: "no" });
  });
  test.each([
    ["<html>Bad gateway</html>", "<html>Bad gateway</html>"],
    ["", "HTTP status 502"],
    ['{"kind":"Other"}', '{"kind":"Other"}'],
  ])("a proxy's answer %j is told as it is", (body, message) => {
    expect(parseStatus(502, body)).toMatchObject({ message, code: 502 });
  });
});
