// A script that starts things and waits: node long-script.ts MODE. It prints a line of JSON when all of them are there.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram, temporaryFolder, type Lifetime } from "../../../build/lifetime.ts";
import { FabricError } from "../../../core/error.ts";
import { runScript, scriptCommand } from "../../../build/script.ts";

const forever = (): Promise<never> => new Promise<never>(() => setInterval(() => {}, 1e6));

/** Where nobody waits for it. */
function fail(milliseconds: number): void {
  setTimeout(() => {
    throw new Error("nobody waits for this");
  }, milliseconds);
}

async function work(lifetime: Lifetime, mode: string): Promise<void> {
  const folder = await temporaryFolder(lifetime, "long-script-");
  const stop = "process.on('SIGTERM', () => setTimeout(() => process.exit(), 300)); setInterval(() => {}, 1e6);";
  // As a daemon is started: Ctrl-C in a terminal does not reach it.
  const child = await startProgram(lifetime, [process.execPath, "--eval", stop, randomUUID()], { detached: true });
  if (mode === "stubborn") {
    await lifetime.begin(() => {}, forever);
  }
  if (mode === "cannot-end") {
    await lifetime.begin(
      () => {},
      () => Promise.reject(new Error("the daemon hangs")),
    );
  }
  console.log(JSON.stringify({ folder, pid: child.pid }));
  switch (mode) {
    case "done":
      return;
    case "fails":
      throw new FabricError("not-found", "expected a port, found none", { hint: "free one" });
    case "late":
      fail(1000);
      return;
    case "stray":
      fail(1);
      return lifetime.unlessStopped(forever());
    case "starting":
      await lifetime.unlessStopped(
        lifetime.begin(
          async () => {
            console.log("starting");
            await sleep(500);
            console.log("started");
          },
          () => console.log("ended"),
        ),
      );
      return;
    default:
      return lifetime.unlessStopped(forever());
  }
}

await runScript({
  command: (lifetime) =>
    scriptCommand("long-script")
      .argument("<mode>")
      .action((mode: string) => work(lifetime, mode)),
  leftovers: () => "There may be left a folder long-script-*.",
});
