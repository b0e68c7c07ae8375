import { FabricError } from "../error.ts";
import type { UserFields } from "./kubeconfig-file.ts";

/** A token that ends this soon counts as expired, as in client-go (plugin/pkg/client/auth/oidc/oidc.go). */
const leewaySeconds = 10;

/**
 * The ID token of the auth provider "oidc", while it is valid. kubectl fetches another one and writes it into the kubeconfig; we write no
 * kubeconfig, so it is kubectl that has to be called then. Throws `forbidden`.
 */
export function openIdToken(
  { config = {} }: NonNullable<UserFields["auth-provider"]>,
  what: string,
  now: number,
): string {
  const token = config["id-token"];
  if (token && expiryOf(token) > now / 1000 + leewaySeconds) return token;
  throw new FabricError(
    "forbidden",
    `expected a valid id-token of ${what}, found ${token ? "an expired one" : "none"}`,
    {
      hint: ["`", { kubectl: ["get", "--raw", "/version"] }, "` fetches another one and writes it into the kubeconfig"],
    },
  );
}

/** The claim exp of a JWT; 0 for what is none. */
function expiryOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return Number((claims as { readonly exp?: unknown } | null)?.exp) || 0;
  } catch {
    return 0;
  }
}
