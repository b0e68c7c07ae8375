// Makes node_modules/.bin of the packages that are installed in this directory, as `npm rebuild --ignore-scripts` does, which takes eight
// times as long for it: a chaincode package holds plain files only (ValidateCodePackage), so links to commands are made again.
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

linkAll("node_modules");

function linkAll(modules) {
  for (const name of packagesIn(modules)) {
    for (const [command, file] of commandsOf(join(modules, name), name))
      link(modules, command, join(modules, name, file));
    linkAll(join(modules, name, "node_modules"));
  }
}

/** "name" and "@scope/name". */
function packagesIn(modules) {
  return directoriesIn(modules).flatMap((name) =>
    name.startsWith("@") ? directoriesIn(join(modules, name)).map((one) => `${name}/${one}`) : [name],
  );
}

function directoriesIn(path) {
  const entries = attempt(() => readdirSync(path, { withFileTypes: true })) ?? [];
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
  return names.sort();
}

/** "bin" of package.json: one file for the command of the package's name, or a file for each command; never beyond the package. */
function commandsOf(folder, name) {
  const { bin } = attempt(() => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))) ?? {};
  const commands = typeof bin === "string" ? { [name]: bin } : typeof bin === "object" && bin !== null ? bin : {};
  return Object.entries(commands)
    .filter(([command, file]) => command !== "" && typeof file === "string")
    .map(([command, file]) => [basename(join("/", command)), join("/", file)]);
}

function link(modules, command, file) {
  const content = attempt(() => readFileSync(file, "latin1"));
  if (content === undefined) return;
  // Written on Windows: the kernel would look for a program whose name ends with a carriage return.
  if (/^#![^\n]*\r\n/.test(content)) writeFileSync(file, content.replace("\r\n", "\n"), "latin1");
  chmodSync(file, 0o755);
  const directory = join(modules, ".bin");
  mkdirSync(directory, { recursive: true });
  attempt(() => symlinkSync(relative(directory, file), join(directory, command)));
}

function attempt(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}
