import { FabricError } from "../error.ts";

/**
 * A text as Node wants the value of a header, so that its UTF-8 bytes arrive, as Go sends them.
 * Throws `invalid` for control characters, which Go refuses, too (golang.org/x/net/http/httpguts): a token that ends with a line break is one.
 */
export function headerText(value: string, what: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (!/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) return Buffer.from(value, "utf8").toString("latin1");
  throw new FabricError("invalid", `expected ${what} without line breaks and other control characters, found one`, {
    hint: "so does kubectl: no header can carry it",
  });
}
