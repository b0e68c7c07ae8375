import { chmod, opendir } from "node:fs/promises";
import { join } from "node:path";

/** Makes every directory readable and writable again, so that it can be removed. Links are not followed: only directories are changed. */
export async function chmodTree(directory: string): Promise<void> {
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    try {
      await chmod(path, 0o700);
      for await (const entry of await opendir(path)) if (entry.isDirectory()) waiting.push(join(path, entry.name));
    } catch (error) {
      // A removal that failed elsewhere may still be going on here.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
