import { posix } from "node:path";
import type { Engine } from "../../docker/engine.ts";
import { isAbsent } from "../../docker/engine.ts";
import { inspectImage } from "../../docker/images.ts";
import { FabricError } from "../../error.ts";
import type { ChaincodeLanguage } from "../../fabric/package/package-rules.ts";

interface StartCommand {
  /** What a peer runs, whatever the image's own command is (core/container/dockercontroller/dockercontroller.go, GetArgs). */
  readonly command: string;
  /** One of these lists has to be there as a whole; names without "/" are looked for on the PATH. */
  readonly needs: readonly (readonly string[])[];
  readonly remedy: string;
}

const startCommands: Readonly<Record<ChaincodeLanguage, StartCommand>> = {
  golang: {
    command: "chaincode -peer.address=localhost:7052",
    needs: [["chaincode"]],
    remedy: "COPY my-program /usr/local/bin/chaincode",
  },
  node: {
    command: "cd /usr/local/src && npm start -- --peer.address localhost:7052",
    needs: [
      ["/bin/sh", "/chaincode/start.sh"],
      ["/bin/sh", "npm", "/usr/local/src/package.json"],
    ],
    remedy: "COPY my-chaincode /usr/local/src, in an image with Node, npm and /bin/sh",
  },
  java: {
    command: "/root/chaincode-java/start --peerAddress localhost:7052",
    needs: [["/root/chaincode-java/start"]],
    remedy: "FROM hyperledger/fabric-javaenv",
  },
};

/** In the order in which they are tried: a program named `chaincode` has no other purpose. */
const languages = ["golang", "java", "node"] as const satisfies readonly ChaincodeLanguage[];

/**
 * How a peer has to start an image that a daemon has: as `told`, else as the image's label says, else as its files allow. Throws `invalid`
 * that names the missing files.
 */
export async function languageOfImage(
  engine: Engine,
  image: string,
  told: ChaincodeLanguage | undefined,
  signal: AbortSignal,
): Promise<ChaincodeLanguage> {
  const found = await inspectImage(engine, image, signal);
  const labelled = labelledLanguage(found?.Config?.Labels);
  const path = found?.Config?.Env?.find((variable) => variable.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  const asked = told ?? labelled;
  return withFiles(engine, image, signal, async (exists) => {
    const here = async (need: string): Promise<boolean> => {
      const places = need.startsWith("/") ? [need] : path.split(":").map((folder) => posix.join(folder, need));
      return (await Promise.all(places.map(exists))).includes(true);
    };
    for (const language of asked === undefined ? languages : [asked]) {
      for (const needs of startCommands[language].needs) {
        if ((await Promise.all(needs.map(here))).every(Boolean)) return language;
      }
    }
    throw cannotStart(image, asked, path);
  });
}

/** Fabric's builds say what they are (core/chaincode/platforms/platforms.go, GenerateDockerfile). */
export function labelledLanguage(
  labels: Readonly<Record<string, string>> | null | undefined,
): ChaincodeLanguage | undefined {
  const label = labels?.["org.hyperledger.fabric.chaincode.type"]?.toLowerCase();
  return languages.find((language) => language === label);
}

function cannotStart(image: string, asked: ChaincodeLanguage | undefined, path: string): FabricError {
  const ways = asked === undefined ? languages : [asked];
  const wanted = ways.map((language) => {
    const { command, needs } = startCommands[language];
    return `  ${language}: "${command}" needs ${needs.map((all) => all.join(" and ")).join(", or ")}`;
  });
  return new FabricError(
    "invalid",
    `expected ${image} to offer what a peer starts, whatever its own command is; it lacks it (PATH=${path}):\n${wanted.join("\n")}`,
    { hint: `in its Dockerfile: ${startCommands[ways[0] ?? "golang"].remedy}` },
  );
}

/** Asks for files of an image by a container that is never started. */
async function withFiles<Result>(
  engine: Engine,
  image: string,
  signal: AbortSignal,
  use: (exists: (path: string) => Promise<boolean>) => Promise<Result>,
): Promise<Result> {
  const body = { Image: image, Cmd: ["none"] };
  const created = await engine.call({ method: "POST", path: "/containers/create", body, signal });
  const { Id } = created as { readonly Id: string };
  try {
    return await use(async (path) => {
      try {
        (await engine.stream({ method: "HEAD", path: `/containers/${Id}/archive`, query: { path }, signal })).resume();
        return true;
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
    });
  } finally {
    await engine.call({ method: "DELETE", path: `/containers/${Id}`, query: { force: true, v: true } });
  }
}
