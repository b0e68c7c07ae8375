import { FabricError } from "../error.ts";
import { headerText } from "./header-text.ts";
import type { UserFields } from "./kubeconfig-file.ts";

/** Headers that name the user whom a request impersonates. */
export type ImpersonationHeaders = Readonly<Record<string, string | string[]>>;

/**
 * The headers of whom a kubeconfig's user impersonates, as client-go makes them (transport/round_trippers.go). Without the groups a request
 * would have other rights than kubectl's. Throws `invalid` where client-go refuses, too (tools/clientcmd/validation.go).
 */
export function impersonationOf(user: UserFields, source: string): ImpersonationHeaders {
  const { as, "as-uid": uid, "as-groups": groups = [], "as-user-extra": extra = {} } = user;
  if (as === undefined) {
    if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return {};
    throw new FabricError(
      "invalid",
      `expected as beside as-uid, as-groups and as-user-extra of ${source}, found none`,
      { hint: "so does kubectl: name whom to impersonate" },
    );
  }
  const header = (value: string) => headerText(value, `whom to impersonate of ${source}`);
  const extras = Object.entries(extra)
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => [`Impersonate-Extra-${escaped(key)}`, values.map(header)] as const);
  return {
    "Impersonate-User": header(as),
    ...(uid === undefined ? {} : { "Impersonate-Uid": header(uid) }),
    ...(groups.length === 0 ? {} : { "Impersonate-Group": groups.map(header) }),
    ...Object.fromEntries(extras),
  };
}

/** Percent-encodes characters that a header's name cannot contain (RFC 9110, token), and the percent sign. */
const escaped = (key: string): string =>
  key.replaceAll(/[^!#$&'*+\-.^_`|~0-9A-Za-z]/gu, (sign) =>
    [...Buffer.from(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
