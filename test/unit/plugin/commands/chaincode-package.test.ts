import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { preparePackage } from "../../../../core/chaincode/package/package-source.ts";
import type { ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

let session: CommandSession;
let folder: string;
let v2: string;

beforeAll(async () => {
  // Nobody is asked.
  session = await commandSession({ url: "http://127.0.0.1:1" } as ScriptedCluster);
  folder = await mkdtemp(join(tmpdir(), "package-"));
  v2 = join(folder, "v2");
  await mkdir(v2);
  await writeFile(
    join(v2, "package.json"),
    JSON.stringify({ name: "asset", scripts: { start: "fabric-chaincode-node start" } }),
  );
  await writeFile(join(v2, "index.js"), "");
});
afterAll(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

describe("chaincode package", () => {
  test("says that deploy-cc labels the same folder otherwise, and how both agree", async () => {
    const { stdout, stderr, error } = await session.run("chaincode", "package", v2, "-o", "name");
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/^v2:[0-9a-f]{64}\n$/);
    expect(stderr).toContain(
      `note: its label is v2, after the folder: deploy-cc NAME --path ${v2} takes NAME, which gives another package ID; ` +
        "the same one with --label v2 there, or --label NAME here\n",
    );
  });

  test("with the chaincode's name as label gives what deploy-cc would install, without a word", async () => {
    const { stdout, stderr } = await session.run("chaincode", "package", v2, "--label", "asset", "-o", "name");
    expect(stdout).toBe(`${(await preparePackage(v2, "asset")).pkg.id}\n`);
    expect(stderr).not.toContain("label");
  });

  test("of a package that has its label says nothing about it", async () => {
    const file = join(folder, "asset.tar.gz");
    await session.run("chaincode", "package", v2, "--label", "asset", "--file", file);
    const { stdout, stderr } = await session.run("chaincode", "package", file, "-o", "name");
    expect(stdout).toMatch(/^asset:/);
    expect(stderr).not.toContain("label");
  });

  test("says what is left out, and by which line", async () => {
    const source = join(folder, "why");
    await mkdir(join(source, "docs"), { recursive: true });
    await writeFile(join(source, "package.json"), JSON.stringify({ scripts: { start: "node ." } }));
    for (const [name, text] of [
      ["index.js", ""],
      ["docs/a.md", ""],
      [".env", ""],
      [".fabricignore", "# texts\ndocs/\n.fabricignore\n"],
    ] as const)
      await writeFile(join(source, name), text);
    const { stdout } = await session.run("chaincode", "package", source, "--label", "a", "--list", "--why");
    expect(stdout).toMatch(/^docs\/ +docs\/ +\.fabricignore:2 +written for packages/m);
    expect(stdout).toMatch(/^\.env +what looks like a key or a password +- +all organizations/m);
    const json = await session.run("chaincode", "package", source, "--label", "a", "--why", "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      leftOut: [
        { path: ".env", rule: "what looks like a key or a password" },
        { path: ".fabricignore", rule: ".fabricignore", file: ".fabricignore", line: 3 },
        { path: "docs/", rule: "docs/", file: ".fabricignore", line: 2 },
      ],
    });
  });
});
