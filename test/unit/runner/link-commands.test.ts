import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const script = join(import.meta.dirname, "../../../runner/toolchains/node/root/chaincode/link-commands.mjs");

describe("the commands of installed packages", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "commands-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const put = (path: string, content: string | object): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
  };
  const link = () => execFileSync(process.execPath, [script], { cwd: folder });
  const target = (path: string): string | undefined => {
    try {
      return readlinkSync(join(folder, path));
    } catch {
      return undefined;
    }
  };

  test("are linked where npm links them, and can be executed", () => {
    put("node_modules/one/package.json", { name: "one", bin: "cli.js" });
    put("node_modules/one/cli.js", "#!/usr/bin/env node\n");
    put("node_modules/@scope/two/package.json", { bin: { second: "./bin/second.js", "x/third": "third.js" } });
    put("node_modules/@scope/two/bin/second.js", "");
    put("node_modules/@scope/two/third.js", "");
    put("node_modules/one/node_modules/@scope/inner/package.json", { bin: "run.js" });
    put("node_modules/one/node_modules/@scope/inner/run.js", "");
    link();
    expect(target("node_modules/.bin/one")).toBe("../one/cli.js");
    expect(target("node_modules/.bin/second")).toBe("../@scope/two/bin/second.js");
    expect(target("node_modules/.bin/third")).toBe("../@scope/two/third.js");
    expect(target("node_modules/one/node_modules/.bin/inner")).toBe("../@scope/inner/run.js");
    expect(statSync(join(folder, "node_modules/one/cli.js")).mode & 0o777).toBe(0o755);
    expect(() => link()).not.toThrow();
  });

  test("are none of files beyond the package, of files that are not there, and of broken packages", () => {
    put("outside.js", "");
    put("node_modules/away/package.json", {
      bin: { away: "../../outside.js", "../../up": "here.js", "..": "here.js" },
    });
    put("node_modules/away/here.js", "");
    put("node_modules/broken/package.json", "{");
    put("node_modules/odd/package.json", { bin: [1, null] });
    put("node_modules/nothing/index.js", "");
    link();
    expect(statSync(join(folder, "outside.js")).mode & 0o111).toBe(0);
    expect(target("node_modules/.bin/away")).toBeUndefined();
    expect(target("up")).toBeUndefined();
    expect(target("node_modules/.bin/up")).toBe("../away/here.js");
  });

  test("start also where they were written on Windows", () => {
    put("node_modules/one/package.json", { bin: "cli.js" });
    put("node_modules/one/cli.js", "#!/usr/bin/env node\r\nrun();\r\n");
    link();
    expect(readFileSync(join(folder, "node_modules/one/cli.js"), "utf8")).toBe("#!/usr/bin/env node\nrun();\r\n");
  });
});
