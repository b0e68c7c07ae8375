import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { answers } from "../node/answers.ts";

/** Lines of a build's output that are shown. */
const shown = 30;
/** Words by which npm, Go, TypeScript, Maven, Gradle and the shell name a cause. */
const telling =
  /\berr(or)?\b|ERR!|FAIL|cannot|could not|not found|undefined|missing|denied|unable|no such|timeout|ENOTFOUND|EAI_AGAIN/i;
const noise = /^npm (notice|timing|verb|http)|A complete log of this run|^\s*$/;

/**
 * Makes a peer's refusal to install readable: Fabric puts the build's whole output into one line of its error
 * (`Error returned from build: 1 "…"`). Any other failure is returned as it is.
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

/** The message leaves out the peer's name and the daemon's local port, so that it is the same for all peers. */
function withoutImage(image: string, because: string, cause: FabricError): FabricError {
  const [, name = "image"] = /([^/:@]+)(?::[^/]*|@.*)?$/.exec(image) ?? [];
  const file = `${name.replace(/^fabric-/, "")}.tar`;
  const reason = because.trimEnd().replaceAll(/ [\d.]+:\d+->[\d.]+:\d+/g, "");
  return new FabricError(
    "rejected",
    `expected the image ${image} in the peer's Docker daemon, which cannot pull it: ${reason}`,
    {
      hint: [
        `where there is a registry: docker save ${image} -o ${file}; then the same command with `,
        { setting: "loadImage", to: file },
      ],
      cause,
    },
  );
}

/** The lines that name a cause, and the last lines, in the output's order. */
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

function hintFor(output: string): Remedy | undefined {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|network (is unreachable|timeout)|dial tcp|i\/o timeout|no such host/i.test(output)
  ) {
    return [
      "the daemon in the peer's Pod reaches no registry: bring all dependencies along (",
      { operation: "chaincode package", with: { offline: true } },
      " tells what is missing)",
    ];
  }
  return undefined;
}
