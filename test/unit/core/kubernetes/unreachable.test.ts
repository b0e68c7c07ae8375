import type { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { unreachable } from "../../../../core/kubernetes/unreachable.ts";
import { typedAs } from "../../../typed-as.ts";

const called = { server: "https://10.0.0.1:6443", context: "kind", user: "ann" };
const thrown = (code: string, message = code) => Object.assign(new Error(message), { code });

test.each([
  ["ECONNREFUSED", "cluster-unreachable", /10\.0\.0\.1:6443 \(context "kind"\), got: connection refused/],
  ["ENOTFOUND", "cluster-unreachable", /no such host name/],
  ["ETIMEDOUT", "cluster-unreachable", /no route or no answer/],
  ["CERT_HAS_EXPIRED", "cluster-unreachable", /shows a certificate that context "kind" does not trust/],
  ["SELF_SIGNED_CERT_IN_CHAIN", "cluster-unreachable", /does not trust/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "cluster-unreachable", /does not trust/],
  ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "forbidden", /does not accept the client certificate of user "ann"/],
  ["ESOMETHING", "cluster-unreachable", /got: ESOMETHING/],
])("%s", (code, expected, message) => {
  const error = unreachable(thrown(code), called);
  expect(error).toMatchObject({ code: expected, hint: typedAs(expect.any(String)) });
  expect(error.message).toMatch(message);
});

test("every address refused is one refusal", () => {
  expect(unreachable(new AggregateError([thrown("ECONNREFUSED"), thrown("ECONNREFUSED")]), called).message).toMatch(
    /connection refused$/,
  );
});

test("an expired client certificate is the reason, whatever the server made of it", () => {
  const certificate = { validToDate: new Date("2026-01-01T00:00:00Z") } as X509Certificate;
  const error = unreachable(thrown("ECONNRESET"), { ...called, certificate }, new Date("2026-01-02T00:00:00Z"));
  expect(error).toMatchObject({
    code: "forbidden",
    message: 'expected a valid client certificate for user "ann", found one that expired on 2026-01-01T00:00:00.000Z',
  });
});
