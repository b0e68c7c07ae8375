import { FabricError } from "../../error.ts";
import { answers } from "../node/answers.ts";

/** Lines of a build's output that are shown. */
const shown = 30;
/** What tells why, in the words of npm, Go, TypeScript, Maven, Gradle and the shell. */
const telling =
  /\berr(or)?\b|ERR!|FAIL|cannot|could not|not found|undefined|missing|denied|unable|no such|timeout|ENOTFOUND|EAI_AGAIN/i;
const noise = /^npm (notice|timing|verb|http)|A complete log of this run|^\s*$/;

/**
 * A peer's refusal to install, made readable: Fabric puts all that the build wrote into one line of its error
 * (`Error returned from build: 1 "…"`). Any other failure stays.
 */
export function readableBuildFailure(error: unknown): unknown {
  if (!(error instanceof FabricError)) return error;
  const [, image, because] = answers.builderMissing.text.exec(error.message) ?? [];
  if (image !== undefined && because !== undefined) return withoutImage(image, because, error);
  const match = answers.buildEnded.text.exec(error.message);
  if (!match) return error;
  const [, before = "", code = "", output = ""] = match;
  const lines = relevantLines(output).map((line) => `  ${line}`);
  const message = [`${before}the build ended with ${code}:`, ...lines].join("\n");
  return new FabricError("rejected", message, { hint: hintFor(output), cause: error });
}

/** Without the peer's name, and the port by which its daemon asked: all peers say the same. */
function withoutImage(image: string, because: string, cause: FabricError): FabricError {
  const [, name = "image"] = /([^/:@]+)(?::[^/]*|@.*)?$/.exec(image) ?? [];
  const file = `${name.replace(/^fabric-/, "")}.tar`;
  const reason = because.trimEnd().replaceAll(/ [\d.]+:\d+->[\d.]+:\d+/g, "");
  return new FabricError(
    "rejected",
    `expected the image ${image} in the peer's Docker daemon, which cannot pull it: ${reason}`,
    {
      hint: `where there is a registry: docker save ${image} -o ${file}; then the same command with --load-image ${file}`,
      cause,
    },
  );
}

/** The lines that tell why, and what stands around the end; in order. */
export function relevantLines(output: string): readonly string[] {
  const all = output.split(/\r?\n/).filter((line) => !noise.test(line));
  if (all.length <= shown) return all;
  const last = shown / 2;
  const found = all
    .slice(0, -last)
    .filter((line) => telling.test(line))
    .slice(-last);
  return [...found, "…", ...all.slice(-last)];
}

function hintFor(output: string): string | undefined {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|network (is unreachable|timeout)|dial tcp|i\/o timeout|no such host/i.test(output)
  ) {
    return "the daemon in the peer's Pod reaches no registry: bring all dependencies along (kubectl fabric chaincode package --offline tells what is missing)";
  }
  return undefined;
}
