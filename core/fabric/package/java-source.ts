import { folderFiles } from "./chaincode-folder.ts";
import { ignoreFileJudge } from "./ignore-rules.ts";
import { nameJudge } from "./name-rules.ts";
import { ruleOf } from "./package-rules.ts";
import type { SecretFiles } from "./secret-files.ts";
import { newSieve } from "./sieve.ts";
import { archiveFiles, ignoredNotices, secretJudge, type ChaincodeSource } from "./source-files.ts";

/**
 * core/chaincode/platforms/java/platform.go. Without a build file a peer takes the jars as they are (fabric-chaincode-java,
 * fabric-chaincode-docker/build.sh).
 */
export async function javaSource(folder: string, hasBuild: boolean, secrets: SecretFiles): Promise<ChaincodeSource> {
  const ignored = await ignoreFileJudge(folder, ".fabricignore");
  const without = hasBuild ? [] : [ruleOf("target, build, out, .gradle beside a build file")];
  const judges = [nameJudge({ language: "java", without }, ignored ? [ignored] : []), secretJudge(secrets, undefined)];
  const sieve = newSieve(judges);
  const files = await folderFiles(folder, sieve.takes);
  const leftOut = sieve.leftOut();
  return {
    language: "java",
    path: "",
    files: await archiveFiles(files, "META-INF"),
    notices: ignoredNotices(leftOut),
    downloads: files.some(({ path }) => isJar(path)) ? [] : ["what pom.xml or build.gradle names"],
    withoutNetwork: "build the jar first (mvn package, gradle shadowJar) and put it into the folder",
    leftOut,
  };
}

/** A jar of somebody's, rather than the one of a build's wrapper. */
export const isJar = (path: string): boolean => path.endsWith(".jar") && !path.endsWith("wrapper.jar");
