import { styleText } from "node:util";
import type { Terminal } from "./io.ts";

export type Paint = (format: "red" | "green" | "yellow" | "cyan" | "dim" | "bold", text: string) => string;

/** Colours for a terminal; plain text for anything else, and when NO_COLOR (no-color.org) or TERM=dumb asks for it. */
export function painter(stream: { readonly isTTY?: boolean }, env: Terminal["env"]): Paint {
  if (!stream.isTTY || env["NO_COLOR"] || env["TERM"] === "dumb") return (_, text) => text;
  return (format, text) => styleText(format, text, { validateStream: false });
}
