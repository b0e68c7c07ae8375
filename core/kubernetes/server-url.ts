import { FabricError } from "../error.ts";

/**
 * The address of a cluster's API server as client-go understands it (rest/url_utils.go): without a scheme it is http, a path is kept, a
 * query is not. Throws `invalid` for what is no address, and for a user in it, whom kubectl would prefer to the kubeconfig's.
 */
export function serverUrl(server: string | undefined, what: string): URL {
  const url = parsed(server ?? "");
  if (url === undefined || url.hostname === "") {
    throw new FabricError(
      "invalid",
      `expected an address like https://10.0.0.1:6443 as server of ${what}, found ${withoutSecrets(server ?? "none")}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new FabricError("invalid", `expected no user in the address of server of ${what}, found one`, {
      hint: "write username and password into the kubeconfig's user",
    });
  }
  url.search = "";
  url.hash = "";
  return url;
}

/** A password may have any sign, and the host follows the last "@". */
export const withoutSecrets = (address: string): string => address.replace(/^([a-z0-9+.-]*:\/\/)?.*@/is, "$1…@");

function parsed(server: string): URL | undefined {
  if (/^https?:\/\//i.test(server)) return URL.parse(server) ?? undefined;
  return /^(\[[0-9a-f:.]+\]|[^/?#:@\s]+)(:\d+)?\/?$/i.test(server)
    ? (URL.parse(`http://${server}`) ?? undefined)
    : undefined;
}
