import { describe, expect, test } from "vitest";
import { proxyFor } from "../../../../core/kubernetes/proxy.ts";

const proxy = "http://proxy:3128";
const through = (server: string, noProxy: string) =>
  proxyFor(new URL(server), { HTTPS_PROXY: proxy, NO_PROXY: noProxy }) !== undefined;

describe("NO_PROXY, by the rule of Go (golang.org/x/net/http/httpproxy)", () => {
  test.each([
    ["https://localhost:6443", ""],
    ["https://127.0.0.1", ""],
    ["https://127.8.7.6:6443", ""],
    ["https://[::1]:6443", ""],
    ["https://[::ffff:127.0.0.1]:6443", ""],
    ["https://10.1.2.3:6443", "*"],
    ["https://10.1.2.3:6443", "example.com, 10.0.0.0/8"],
    ["https://10.1.2.3:6443", "10.1.2.3"],
    ["https://10.1.2.3:6443", "10.1.2.3:6443"],
    ["https://10.1.2.3", "10.1.2.3:443"],
    ["https://[fd00::3]:6443", "fd00::/8"],
    ["https://[fd00::3]:6443", "fd00:0::3"],
    ["https://[fd00::3]:6443", "[fd00::3]:6443"],
    ["https://example.com", "example.com"],
    ["https://api.example.com", "EXAMPLE.com"],
    ["https://api.example.com", ".example.com"],
    ["https://a.api.example.com:6443", "*.example.com:6443"],
    ["https://api.größe.example", "größe.example"],
    ["https://api", "api"],
  ])("%s is called directly with %j", (server, noProxy) => {
    expect(through(server, noProxy)).toBe(false);
  });

  test.each([
    ["https://10.1.2.3:6443", ""],
    ["https://10.1.2.3:6443", ",  ,"],
    ["https://10.1.2.3:6443", "10.2.0.0/16,10.1.2.30,.2.3,2.3"],
    ["https://10.1.2.3:6443", "10.1.2.3:443"],
    ["https://10.1.2.3:6443", "10.1.2.3/33,10.1.2/24,/8,10.0.0.0/"],
    ["https://10.1.2.3:6443", "fd00::/8"],
    ["https://[fd00::3]:6443", "[fd00::3]"],
    ["https://[fd00::3]:6443", "10.0.0.0/8,0.0.0.0/0"],
    ["https://localhost.example.com", "localhost"],
    ["https://example.com", ".example.com"],
    ["https://example.com", "*.example.com"],
    ["https://badexample.com", "example.com"],
    ["https://example.com:6443", "example.com:443"],
    ["https://example.com", ":443,http://example.com"],
    ["https://example.com", "api.example.com,example.co,ple.com"],
  ])("%s is called through the proxy with %j", (server, noProxy) => {
    expect(through(server, noProxy)).toBe(true);
  });
});

describe("the variables", () => {
  const of = (server: string, env: NodeJS.ProcessEnv) => proxyFor(new URL(server), env);

  test("are for one scheme each, upper case first, empty ones none", () => {
    expect(of("https://a", { HTTP_PROXY: proxy })).toBeUndefined();
    expect(of("http://a", { HTTPS_PROXY: proxy, ALL_PROXY: proxy })).toBeUndefined();
    expect(of("http://a", { http_proxy: "http://one", HTTP_PROXY: "http://two" })).toBe("http://two");
    expect(of("https://a", { https_proxy: "socks5://one", HTTPS_PROXY: "" })).toBe("socks5://one");
    expect(of("https://a", { HTTPS_PROXY: proxy, NO_PROXY: "", no_proxy: "a" })).toBeUndefined();
  });

  test("may leave out the scheme", () => {
    expect(of("https://a", { HTTPS_PROXY: "ann:p@proxy:3128" })).toBe("http://ann:p@proxy:3128");
  });
});
