import { chmod, opendir } from "node:fs/promises";
import { join } from "node:path";

/** Makes every directory readable and writable, so that the tree can be removed. Follows no links and changes only directories. */
export async function chmodTree(directory: string): Promise<void> {
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    try {
      await chmod(path, 0o700);
      for await (const entry of await opendir(path)) if (entry.isDirectory()) waiting.push(join(path, entry.name));
    } catch (error) {
      // Another removal of this tree may still be running.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
