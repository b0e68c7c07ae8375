import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";

/**
 * The proxy for a server by the environment, as Go has it (golang.org/x/net/http/httpproxy), undefined for none. Node's own rule differs: it
 * knows no CIDR, does not spare loopback, and asks the lower-case variables first. Pure.
 */
export function proxyFor(server: URL, env: NodeJS.ProcessEnv): string | undefined {
  const [upper, lower] = server.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  const proxy = env[upper] || env[lower];
  if (!proxy || isSpared(server, env["NO_PROXY"] || env["no_proxy"] || "")) return undefined;
  // "proxy.example:3128" is meant as http.
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function isSpared(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (host === "localhost" || (isIP(host) && loopback.check(host, familyOf(host)))) return true;
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  return noProxy.split(",").some((rule) => spares(rule.trim().toLowerCase(), host, port));
}

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** "*", "10.0.0.0/8", "10.0.0.1", "[fd00::1]:6443", "example.com" with what is below it, ".example.com" without it; each with a port or not. */
function spares(rule: string, host: string, port: string): boolean {
  if (rule === "" || rule === "*") return rule === "*";
  const [, network = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(rule) ?? [];
  if (isIP(network) && Number(bits) <= (isIP(network) === 6 ? 128 : 32)) {
    return Boolean(isIP(host)) && covers(network, Number(bits), host);
  }
  const [, name = rule, only = ""] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(rule) ?? [];
  if (only !== "" && only !== port) return false;
  const address = only === "" && name === rule ? name : name.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address)) return Boolean(isIP(host)) && covers(address, isIP(address) === 6 ? 128 : 32, host);
  if (address === "" || isIP(host)) return false;
  const domain = address.replace(/^\*\./, ".");
  const ascii = domainToASCII(domain.replace(/^\./, "")) || domain.replace(/^\./, "");
  return host.endsWith(`.${ascii}`) || (!domain.startsWith(".") && host === ascii);
}

function covers(network: string, bits: number, address: string): boolean {
  const list = new BlockList();
  list.addSubnet(network, bits, familyOf(network));
  return list.check(address, familyOf(address));
}
