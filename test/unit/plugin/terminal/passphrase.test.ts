import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { passphrasesFrom } from "../../../../plugin/terminal/passphrase.ts";

const work = mkdtempSync(join(tmpdir(), "passphrase-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(work, name), text);
  return join(work, name);
};

/** A terminal, or pipes, and all that is written to it. */
function terminal(isTTY: boolean) {
  const written: string[] = [];
  const stream = () => {
    const through = Object.assign(new PassThrough(), { isTTY });
    through.on("data", (chunk: Buffer) => written.push(chunk.toString()));
    return through;
  };
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const { signal } = new AbortController();
  return { stdin, stdout: stream(), stderr: stream(), env: {}, signal, said: () => written.join("") };
}

async function all(passphrases: AsyncIterable<string>): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const passphrase of passphrases) found.push(passphrase);
  return found;
}

test("comes from the first lines of files, which are read once", async () => {
  const files = [file("one", "first\r\nsecond\n"), file("two", " pass phrase ")];
  const passphrases = passphrasesFrom(terminal(false), files);
  expect(await all(passphrases("key"))).toEqual(["first", " pass phrase "]);
  rmSync(join(work, "one"));
  expect(await all(passphrases("other"))).toEqual(["first", " pass phrase "]);
});

test("is not taken from an empty file, or one that is not there", async () => {
  const empty = file("empty", "\nsecret\n");
  await expect(all(passphrasesFrom(terminal(false), [empty])("key"))).rejects.toMatchObject({
    code: "usage",
    message: `expected a passphrase in the first line of ${empty}, found none`,
  });
  await expect(all(passphrasesFrom(terminal(false), [join(work, "nosuch")])("key"))).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(/^cannot read the passphrase in .*nosuch: ENOENT/),
  });
});

test("is asked for on a terminal, three times, and never shown", async () => {
  const to = terminal(true);
  const passphrases = passphrasesFrom(to, undefined)("./keystore/k\u001b[31m_sk");
  to.stdin.write("wrong\r");
  expect(await passphrases.next()).toEqual({ done: false, value: "wrong" });
  to.stdin.write("sec\u007f\u007fecret\r"); // with two characters taken back
  expect(await passphrases.next()).toEqual({ done: false, value: "secret" });
  to.stdin.write("\r");
  expect(await passphrases.next()).toEqual({ done: false, value: "" });
  expect(await passphrases.next()).toMatchObject({ done: true });
  expect(to.said()).toMatch(/^Passphrase of \.\/keystore\/k.*_sk: \nThat does not open it\. Passphrase of .*: \n/);
  expect(to.said()).not.toMatch(/wrong|secret/);
  expect(to.said()).not.toContain("\u001b");
});

test("the terminal stops to show what is typed before the question, and shows it again after the answer", async () => {
  const to = terminal(true);
  const setRawMode = (raw: boolean) => void to.stderr.write(raw ? "<hidden>" : "<shown>");
  const stdin = Object.assign(to.stdin, { setRawMode });
  const asked = passphrasesFrom({ ...to, stdin }, undefined)("key").next();
  stdin.write("secret\r");
  await asked;
  expect(to.said()).toBe("<hidden>Passphrase of key: <shown>\n");
});

test.each([
  ["Ctrl-C", "\u0003"],
  ["Ctrl-D", "\u0004"],
])("%s ends the question", async (_, typed) => {
  const to = terminal(true);
  const asked = passphrasesFrom(to, undefined)("key").next();
  to.stdin.write(typed);
  await expect(asked).rejects.toMatchObject({ code: "interrupted" });
});

test("the end of the terminal ends the question", async () => {
  const to = terminal(true);
  const asked = passphrasesFrom(to, undefined)("key").next();
  to.stdin.end();
  await expect(asked).rejects.toMatchObject({ code: "interrupted" });
});

test("without a terminal it says how else to name it", async () => {
  await expect(passphrasesFrom(terminal(false), undefined)("./keystore/k").next()).rejects.toMatchObject({
    code: "usage",
    message: "expected the passphrase of ./keystore/k, which is encrypted, found no terminal to ask on",
    hint: [{ setting: "keyPassphrases", to: "FILE" }, " names a file that holds it; it is never an argument"],
  });
});
