import { parse } from "yaml";
import { FabricError } from "../error.ts";

/** Headers that name the user whom a request impersonates. */
export type ImpersonationHeaders = Readonly<Record<string, string | string[]>>;

interface UserEntry {
  readonly name?: unknown;
  readonly user?: {
    readonly as?: unknown;
    readonly "as-uid"?: unknown;
    readonly "as-groups"?: unknown;
    readonly "as-user-extra"?: unknown;
  } | null;
}

/**
 * The impersonation headers of a kubeconfig's first user called `name`, as client-go makes them (tools/clientcmd/api/v1/types.go,
 * transport/round_trippers.go). client-node reads `as` alone: without the groups a request would have other rights than kubectl's.
 * Throws `invalid` where client-go refuses, too.
 */
export function impersonationOf(name: string, content: string, source: string): ImpersonationHeaders {
  if (!/\bas(-uid|-groups|-user-extra)?["']?\s*:/.test(content)) return {};
  const { users } = (parse(content, { logLevel: "error" }) as { readonly users?: unknown } | null) ?? {};
  const entries = Array.isArray(users) ? (users as readonly (UserEntry | null)[]) : [];
  const user = entries.find((entry) => entry?.name === name)?.user;
  return user ? headersOf(user, `user ${name} in ${source}`) : {};
}

function headersOf(user: NonNullable<UserEntry["user"]>, source: string): ImpersonationHeaders {
  const as = text(user.as, `as of ${source}`);
  const uid = text(user["as-uid"], `as-uid of ${source}`);
  const groups = list(user["as-groups"], `as-groups of ${source}`);
  const extra = Object.entries(user["as-user-extra"] ?? {}).map(
    ([key, values]) => [`Impersonate-Extra-${escaped(key)}`, list(values, `as-user-extra of ${source}`)] as const,
  );
  if (as === undefined && (uid !== undefined || groups.length > 0 || extra.length > 0)) {
    throw new FabricError(
      "invalid",
      `expected as beside as-uid, as-groups and as-user-extra of ${source}, found none`,
      {
        hint: "so does kubectl: name whom to impersonate",
      },
    );
  }
  return {
    ...(as === undefined ? {} : { "Impersonate-User": as }),
    ...(uid === undefined ? {} : { "Impersonate-Uid": uid }),
    ...(groups.length === 0 ? {} : { "Impersonate-Group": groups }),
    ...Object.fromEntries(extra),
  };
}

function text(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") return value;
  throw new FabricError("invalid", `expected text in ${what}, found ${JSON.stringify(value)}`);
}

function list(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw new FabricError("invalid", `expected a list of texts in ${what}, found ${JSON.stringify(value)}`);
}

/** Percent-encodes characters that a header's name cannot contain (RFC 9110, token), and the percent sign. */
const escaped = (key: string): string =>
  key.replaceAll(/[^!#$&'*+\-.^_`|~0-9A-Za-z]/g, (sign) =>
    [...Buffer.from(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
