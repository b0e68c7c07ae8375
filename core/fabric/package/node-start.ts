import { posix } from "node:path";
import type { NodeManifest } from "./node-manifest.ts";
import { commandsOf, type ScriptCommand } from "./script-words.ts";

/** What one command of a script runs. */
type ScriptProgram =
  /** A file of the folder, or `main` of package.json: read by Node. `preloads` are modules that it loads first. */
  | { readonly kind: "node"; readonly file: string | undefined; readonly preloads: readonly string[] }
  /** fabric-shim's own command. */
  | { readonly kind: "shim"; readonly does: "start" | "server"; readonly modulePath: string | undefined }
  /** A file of the folder that is executed by itself, or read by a shell. */
  | { readonly kind: "file"; readonly file: string; readonly executed: boolean }
  /** What a package brings. */
  | { readonly kind: "bin"; readonly name: string };

export type RunProgram = ScriptProgram & Pick<ScriptCommand, "sure">;

/** Node's options that take the next word as their value (nodejs.org/api/cli.html); V8's have theirs behind "=" only. */
const withValue: ReadonlySet<string> = new Set(
  (
    "-r --require --import --loader --experimental-loader -C --conditions --input-type --env-file --env-file-if-exists " +
    "--title --icu-data-dir --openssl-config --redirect-warnings --diagnostic-dir --disable-warning --dns-result-order " +
    "--unhandled-rejections --tls-cipher-list --report-dir --report-directory --report-filename --report-signal " +
    "--heapsnapshot-signal --inspect-port --debug-port --watch-path --localstorage-file --trace-event-categories " +
    "--trace-event-file-pattern --trace-require-module --secure-heap --secure-heap-min --max-http-header-size --cpu-prof-dir " +
    "--cpu-prof-name --heap-prof-dir --heap-prof-name --experimental-default-type --experimental-config-file " +
    "--experimental-sea-config --build-snapshot-config --snapshot-blob --tls-keylog " +
    "--network-family-autoselection-attempt-timeout --v8-pool-size --allow-fs-read --allow-fs-write"
  ).split(" "),
);

/** What a script of package.json runs, one after another; scripts that it calls ("npm run build") are looked into. */
export function programsOf(
  { scripts = {}, main }: NodeManifest,
  name: string,
  above: readonly string[] = [],
): readonly RunProgram[] {
  const script = scripts[name];
  if (typeof script !== "string" || above.includes(name)) return [];
  const commands = commandsOf(script);
  // Files are found from another folder from there on.
  const moves = commands.findIndex(({ words }) => /^(cd|pushd)$/.test(words[0] ?? ""));
  return (moves < 0 ? commands : commands.slice(0, moves + 1)).flatMap(({ words, sure }) => {
    const own = programWords(words);
    const called = calledScript(own);
    if (called === undefined) {
      const program = programIn(own, main);
      return program ? [{ ...program, sure }] : [];
    }
    return lifecycle(called).flatMap((each) =>
      programsOf({ scripts, main }, each, [...above, name]).map((program) => ({
        ...program,
        sure: sure && program.sure,
      })),
    );
  });
}

/** npm runs these around a script (docs.npmjs.com/cli/using-npm/scripts). */
const lifecycle = (name: string): readonly string[] => [`pre${name}`, name, `post${name}`];

/** Words that only lead to the program: variables before it, and commands that run another. */
function programWords(words: readonly string[]): readonly string[] {
  let rest = words;
  for (;;) {
    const [first = ""] = rest;
    if (/^\w+=/.test(first)) rest = rest.slice(1);
    else if (["exec", "cross-env", "env", "nohup", "time"].includes(first)) rest = rest.slice(1);
    else if (first === "npx")
      rest = rest.slice(
        1 +
          Math.max(
            0,
            rest.slice(1).findIndex((word) => !word.startsWith("-")),
          ),
      );
    else return rest;
  }
}

function calledScript([program = "", ...words]: readonly string[]): string | undefined {
  if (!["npm", "yarn", "pnpm"].includes(program)) return undefined;
  const [first, second] = words.filter((word) => !word.startsWith("-"));
  if (first === "run" || first === "run-script") return second;
  if (first === "start" || first === "test") return first;
  return program === "npm" ? undefined : first;
}

function programIn(words: readonly string[], main: unknown): ScriptProgram | undefined {
  const [first = "", ...rest] = words;
  const shim = words.findIndex((word) => /(^|\/)fabric-chaincode-node(\.cmd)?$|fabric-shim\/cli(\.js)?$/.test(word));
  if (shim >= 0 && (shim === 0 || /^(.*\/)?node$/.test(first))) return shimProgram(words.slice(shim + 1));
  if (/^(.*\/)?node(\.exe)?$/.test(first)) return nodeProgram(rest, main);
  if (/^(sh|bash|ash|dash|source|\.)$/.test(first)) {
    const file = rest.find((word) => !word.startsWith("-"));
    return file === undefined || rest.some((word) => /^-\w*c/.test(word))
      ? undefined
      : { kind: "file", file: posix.normalize(file), executed: false };
  }
  const bin = /^(?:\.\/)?node_modules\/\.bin\/([^/]+)$/.exec(first)?.[1];
  if (bin !== undefined) return { kind: "bin", name: bin };
  if (/[$`(]/.test(first)) return undefined;
  if (first.includes("/")) {
    return first.startsWith("/") || first.startsWith("node_modules/")
      ? undefined
      : { kind: "file", file: posix.normalize(first), executed: true };
  }
  return { kind: "bin", name: first };
}

function shimProgram(words: readonly string[]): ScriptProgram {
  const at = words.findIndex((word) => /^--module-path(=|$)/.test(word));
  const modulePath = at < 0 ? undefined : (words[at]?.split("=")[1] ?? words[at + 1]);
  return { kind: "shim", does: words.includes("server") ? "server" : "start", modulePath };
}

function nodeProgram(words: readonly string[], main: unknown): ScriptProgram {
  const preloads: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const [option = "", value] = word.split(/=(.*)/s);
    if (word === "--") return { kind: "node", file: fileOf(words[at + 1], main), preloads };
    if (!word.startsWith("-") || word === "-") return { kind: "node", file: fileOf(word, main), preloads };
    // What they run is no file.
    if (/^-(?!-)\w*[ep]$|^--(eval|print|test|run|interactive)$/.test(option)) break;
    const taken = withValue.has(option) && value === undefined ? words[(at += 1)] : value;
    if (/^(-r|--(require|import|loader|experimental-loader))$/.test(option) && taken !== undefined)
      preloads.push(taken);
  }
  return { kind: "node", file: undefined, preloads };
}

function fileOf(word: string | undefined, main: unknown): string | undefined {
  if (word === undefined || /[$`]/.test(word)) return undefined;
  const file = posix.normalize(word);
  if (/^\.\/?$/.test(file)) return mainOf(main);
  return file.startsWith("node_modules/") || file.startsWith("/") ? undefined : file;
}

/** nodejs.org/api/modules.html, "Folders as modules". */
export const mainOf = (main: unknown): string =>
  posix.normalize(typeof main === "string" && main !== "" ? main : "index.js");

/** The file of the folder that "npm start" begins with, if the script tells: fabric-shim's own command runs "main" of package.json, as Node does. */
export function entryOf(manifest: NodeManifest): string | undefined {
  const program = programsOf(manifest, "start").at(-1);
  if (program?.kind === "shim") return program.modulePath === undefined ? mainOf(manifest.main) : undefined;
  return program?.kind === "node" ? program.file : undefined;
}
