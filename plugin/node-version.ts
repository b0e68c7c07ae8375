import { FabricError } from "../core/error.ts";

/** As `engines` in package.json says. Before 24.5 Node's agents pass over a proxy that they are told (nodejs.org/api/http.html, "proxyEnv"). */
const [oldestMajor, oldestMinor] = [24, 5];

/** Throws `usage` for a Node that lacks what we need, before something fails in words of its own, or is passed over. */
export function checkNodeVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new FabricError("usage", `expected Node ${oldestMajor}.${oldestMinor} or newer, found ${version}`, {
    hint: "node --version; install a current one (nodejs.org, nvm, your distribution) and put it first on the PATH",
  });
}
