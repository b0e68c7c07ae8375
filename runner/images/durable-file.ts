import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file as a whole: a kill meanwhile leaves the old content or none, never a part. */
export async function writeDurable(file: string, content: string | Uint8Array, unfinished: string): Promise<void> {
  const handle = await open(unfinished, "w", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await publish(unfinished, file);
}

/** Renames a finished file, and waits until the name is on the disk. */
export async function publish(unfinished: string, file: string): Promise<void> {
  await rename(unfinished, file);
  const directory = await open(dirname(file), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
