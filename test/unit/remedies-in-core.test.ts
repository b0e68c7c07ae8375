// The library says what to do as data (core/remedy.ts); how that is typed only the plugin knows.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { transform } from "esbuild";
import { expect, test } from "vitest";
import { newProgram } from "../../plugin/program.ts";

const root = join(import.meta.dirname, "../..");

function optionsBelow(command: Command): readonly string[] {
  return [...command.options.map(({ long }) => long ?? ""), ...command.commands.flatMap(optionsBelow)];
}

const sink = new Writable();
const { signal } = new AbortController();
const program = newProgram({ stdout: sink, stderr: sink, stdin: Readable.from([]), env: {}, signal });
const ours: ReadonlySet<string> = new Set(optionsBelow(program));

/** What a file's code, without its comments and types, has of our command line. */
async function saidIn(file: string): Promise<readonly string[]> {
  const source = readFileSync(join(root, file), "utf8");
  const { code } = await transform(source, { loader: "ts", minifyWhitespace: true, legalComments: "none" });
  const words = code.match(/kubectl fabric(?= )|(?<![\w-])--[a-z][a-z-]*(?![\w.-])/g) ?? [];
  return [...new Set(words)].filter((word) => word === "kubectl fabric" || ours.has(word)).toSorted();
}

/** A message is text, also where it names what was typed: nobody acts by it. */
const messages = {
  "core/chaincode/daily/logs.ts": ["kubectl fabric"],
  "core/chaincode/deployment/deploy-request.ts": [
    "--bundle",
    "--image",
    "--include",
    "--init-args",
    "--label",
    "--language",
    "--load-image",
    "--no-init",
    "--offline",
    "--package-id",
    "--path",
    "--rollback-to",
    "--runtime",
  ],
  "core/chaincode/deployment/unknown-name.ts": ["--endorsing-orgs"],
  "core/chaincode/image/given-image.ts": ["--language"],
  "core/chaincode/package/package-source.ts": ["--bundle", "--include", "--language", "--no-bundle"],
  "core/chaincode/rollout/resolve.ts": ["--init", "--init-args"],
  "core/chaincode/runtime/choice.ts": ["--client-auth", "--image", "--per", "--runtime", "--start"],
  "core/fabric/package/secret-files.ts": ["--include"],
  "core/installation/webhook.ts": ["--policy", "kubectl fabric"],
  "core/orphans/cleanup.ts": ["--gone-peer"],
  "core/orphans/judgement/judgement.ts": ["--older-than"],
  "core/orphans/places/builder-k8s.ts": ["--gone-peer"],
  "core/orphans/places/host-docker.ts": ["--gone-peer"],
  "core/orphans/survey.ts": ["--org", "--peer"],
};

/** Read or run where no program of ours says it: by the API server, in a denial, by a daemon, by a CronJob. */
const elsewhere = {
  "core/chaincode/image/image-package.ts": ["kubectl fabric"],
  "core/injection/found-injection.ts": ["kubectl fabric"],
  "core/installation/injection-policy.ts": ["kubectl fabric"],
  "core/orphans/schedule.ts": ["--network", "--older-than", "--org", "--source", "--yes"],
};

/** Options of kubectl that are called as ours are. */
const kubectl = {
  "core/doctor/namespace-findings.ts": ["--list"],
  "core/doctor/node-findings.ts": ["--replicas"],
  "core/kubernetes/kubeconfig-file.ts": ["--kubeconfig"],
  "core/kubernetes/unreachable.ts": ["--context"],
  "core/network/resources/definition.ts": ["--namespace"],
};

test("core speaks no command line of ours, but for this", async () => {
  const files = globSync("core/**/*.ts", { cwd: root }).toSorted();
  const said = await Promise.all(files.map(async (file) => [file, await saidIn(file)] as const));
  expect(files.length).toBeGreaterThan(200);
  expect(Object.fromEntries(said.filter(([, words]) => words.length > 0))).toEqual({
    ...messages,
    ...elsewhere,
    ...kubectl,
  });
});
