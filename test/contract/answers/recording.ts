import { globSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import {
  afterAll,
  aroundEach,
  expect,
  type RunnerTask,
  type RunnerTestCase as Test,
  type RunnerTestFile,
} from "vitest";
import { listen, type Heard } from "../../integration/emulator/network/answers.ts";
import type { Network } from "../../integration/emulator/network/network.ts";
import { recordingAnswers, type Column } from "../column.ts";
import { decodedAnswer } from "./decoded-answer.ts";
import { differences } from "./differences.ts";
import { expectedOf, record } from "./golden.ts";
import { withPlaceholders, type KnownNames } from "./placeholders.ts";

const golden = join(import.meta.dirname, "../golden");

/**
 * Compares what nodes answer in each case of a column with what real nodes of its line answered when that was recorded, one file a case;
 * with RECORD=1 writes these files. To be called in the body of `describe.each(columns)`.
 */
export function compareAnswers(column: Column, network: () => Network | undefined): void {
  let file: RunnerTestFile | undefined;

  aroundEach(async (runCase, { task }) => {
    ({ file } = task);
    const heard: Heard[] = [];
    await listen(heard, runCase);
    // What it failed by is told already, and a case that was left out has no answers.
    if (task.result?.state === "fail" || task.result?.state === "skip") return;
    const answers = heard.filter((one) => one.kind === "fact" || one.status !== undefined || one.messages.length > 0);
    const answered = withPlaceholders(answers.map(decodedAnswer), namesIn(column, network()));
    const name = recordingOf(task);
    if (recordingAnswers) return record(golden, column, name, answered);
    const expected = expectedOf(golden, column, name, answered, task.file.filepath);
    expect(answered, `what real Fabric ${column.line} answers (golden/${column.line}/${name}.json)`).toEqual(expected);
  });

  afterAll(() => {
    if (file === undefined) return;
    const { filepath } = file;
    const names = new Set(file.tasks.flatMap(casesIn).map(recordingOf));
    const inFile = (name: string): boolean => name.startsWith(`${nameOfFile(filepath)}/`);
    const recorded = globSync("**/*.json", { cwd: golden });
    const stale = recorded.filter((path) => inFile(nameIn(path)) && !names.has(nameIn(path)));
    if (recordingAnswers) for (const path of stale) rmSync(join(golden, path));
    else expect(stale, "recordings of cases that there are").toEqual([]);
    const unknown = differences.filter(({ recording }) => inFile(recording) && !names.has(recording));
    expect(unknown, "differences of cases that there are").toEqual([]);
  });
}

/** A path below golden without its line: "3.1/channel/cscc/joins-a-peer.json" is of channel/cscc/joins-a-peer. */
const nameIn = (path: string): string => path.replace(/^[^/]+\//, "").replace(/\.json$/, "");

/** Below the column: "channel/cscc/joins-a-peer". */
function recordingOf(task: Test): string {
  const below: string[] = [];
  let suite = task.suite;
  for (; suite?.suite !== undefined; suite = suite.suite) below.unshift(suite.name);
  return [nameOfFile(task.file.filepath), ...[...below, task.name].map(slug)].join("/");
}

const nameOfFile = (path: string): string => basename(path, ".test.ts");

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");

function casesIn(task: RunnerTask): readonly Test[] {
  return task.type === "test" ? [task] : task.tasks.flatMap(casesIn);
}

/** Where the nodes are, and their version. */
function namesIn({ release }: Column, network: Network | undefined): KnownNames {
  const version = release?.version ?? "3.1.5";
  const versions = [`v${version}`, version].map((text) => [text, "<version>"] as const);
  const nodes = network === undefined ? [] : [[network.directory, "<directory>"] as const, ...addressesIn(network)];
  return [...nodes, ...versions];
}

function addressesIn({ orderers, peers }: Network): KnownNames {
  const countOf = (mspId: string, before: number): number =>
    peers.slice(0, before).filter(({ organization }) => organization.mspId === mspId).length;
  return [
    ...orderers.map(({ port }, index) => [`127.0.0.1:${port}`, `<orderer${index}>`] as const),
    ...peers.map(({ address, organization: { mspId } }, index) => {
      return [address, `<peer${countOf(mspId, index)}.${mspId}>`] as const;
    }),
  ];
}
