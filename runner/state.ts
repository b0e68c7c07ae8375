import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

const storePrefix = "store-";

/**
 * The directory of the images below the state's, with a name that cannot be guessed: chaincode runs as our own user, and Landlock does
 * not restrict `stat` and `chmod` of a known name.
 */
export async function openStoreDirectory(state: string): Promise<string> {
  await mkdir(state, { recursive: true });
  const found = (await readdir(state)).find((name) => /^store-[0-9a-f]{32}$/.test(name));
  const directory = join(state, found ?? `${storePrefix}${randomBytes(16).toString("hex")}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}
