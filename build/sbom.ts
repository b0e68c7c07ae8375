// The contents of the webhook's image: `npm run sbom` writes dist/webhook.cdx.json (CycloneDX). npm makes it from the lock file, and it
// is cut to the packages that the bundle contains.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "./main.ts";
import { runProgram, type Lifetime } from "./lifetime.ts";
import { runScript, scriptCommand } from "./script.ts";

/** The parts of npm's CycloneDX document that are changed. */
interface Sbom {
  readonly metadata: { readonly component: Record<string, unknown> };
  readonly components: readonly { readonly "bom-ref": string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** The document with nothing in it but the given packages ("name@version") and the program itself. */
export function cutTo<T extends Sbom>(document: T, packages: readonly string[], name: string): T {
  const { component } = document.metadata;
  const root = component["bom-ref"];
  const kept = new Set([root, ...packages]);
  return {
    ...document,
    metadata: { ...document.metadata, component: { ...component, name } },
    components: document.components.filter((one) => kept.has(one["bom-ref"])),
    dependencies: document.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) })),
  };
}

/** npm's list of all packages. Not with --omit=dev, which also leaves out packages that a development tool needs as well. */
export async function npmSbom(lifetime: Lifetime): Promise<Sbom> {
  const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
  return JSON.parse(await runProgram(lifetime, ["npm", ...args], { stdio: ["ignore", "pipe", "ignore"] })) as Sbom;
}

/** "name@version" of the package in a directory. */
export function identityOf(directory: string): string {
  const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8")) as Record<string, string>;
  return `${name}@${version}`;
}

async function writeSbom(lifetime: Lifetime): Promise<void> {
  await build(lifetime);
  const { webhook } = JSON.parse(readFileSync("dist/packages.json", "utf8")) as { webhook: readonly string[] };
  const sbom = cutTo(await npmSbom(lifetime), webhook.map(identityOf), "kubectl-fabric-webhook");
  writeFileSync("dist/webhook.cdx.json", `${JSON.stringify(sbom, undefined, 2)}\n`);
  console.error(`dist/webhook.cdx.json: ${sbom.components.length} packages`);
}

if (import.meta.main) {
  await runScript({
    command: (lifetime) =>
      scriptCommand("npm run sbom --")
        .description(
          "Builds, then writes what is in the webhook's image to dist/webhook.cdx.json (CycloneDX). About 10 seconds.",
        )
        .addHelpText("after", "\nExample:\n  npm run sbom && docker build -f webhook/Dockerfile .")
        .action(() => writeSbom(lifetime)),
    leftovers: () => "dist/ may be unfinished: npm run build makes it anew.",
  });
}
