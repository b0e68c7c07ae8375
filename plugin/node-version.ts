import { FabricError } from "../core/error.ts";

/** As `engines` in package.json says: undici of client-node needs it. */
const oldest = 24;

/** Throws `usage` for a Node that lacks what our libraries import, before they fail in words of their own. */
export function checkNodeVersion(version: string): void {
  if (Number.parseInt(version, 10) >= oldest) return;
  throw new FabricError("usage", `expected Node ${oldest} or newer, found ${version}`, {
    hint: "node --version; install a current one (nodejs.org, nvm, your distribution) and put it first on the PATH",
  });
}
