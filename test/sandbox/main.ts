import type { Command } from "commander";
import type { Lifetime } from "../../build/lifetime.ts";
import { FabricError } from "../../core/error.ts";
import { runScript, scriptCommand } from "../../build/script.ts";
import { newProgress } from "./progress.ts";
import {
  sandboxDown,
  sandboxImage,
  sandboxKubeconfig,
  sandboxLoad,
  sandboxStatus,
  sandboxUp,
  type SandboxOptions,
} from "./sandbox.ts";
import { statusText } from "./status.ts";

const examples = `
Examples:
  npm run sandbox -- up                                start it (root; the first time builds for about 15 minutes)
  export KUBECONFIG=$(npm run -s sandbox -- kubeconfig) and use it
  npm run sandbox -- up --images node,docker-28-dind   make and load only these images
  npm run sandbox -- status                            what runs, which images there are
  npm run sandbox -- load my-image.tar                 bring in what docker save wrote
  npm run -s sandbox -- image fabric-nodeenv           path of an image for docker load
  npm run sandbox -- down                              leave no trace but the cache
  npm run sandbox -- down --purge                      nor that

Files are kept in $SANDBOX_CACHE (default ~/.cache/kubectl-fabric-sandbox).
Fabric images are made of $FABRIC_HOME (several with ":"), else of each release in /opt/hyperledger-fabric.`;

const list = (text: string): readonly string[] =>
  text === "none" ? [] : text.split(",").filter((name) => name !== "");

function sandboxCommand({ signal }: Lifetime): Command {
  const options: SandboxOptions = { progress: newProgress((line) => process.stderr.write(line)), signal };
  const print = (text: string): void => void process.stdout.write(text);
  const program = scriptCommand("npm run sandbox --")
    .description("A real single-node Kubernetes on this Linux machine, without any registry")
    .addHelpText("after", examples);
  program
    .command("up")
    .description("start it, building what is missing (once: about 15 minutes); starts again what died (seconds)")
    .option(
      "--images <names>",
      "make and load only these, comma-separated; none for what the cluster needs itself",
      list,
    )
    .action(async ({ images }: { images?: readonly string[] }) => {
      const sandbox = await sandboxUp({ ...options, images });
      options.progress?.say(sandbox.alreadyUp ? "sandbox was up" : "sandbox up");
      print(`export KUBECONFIG=${sandbox.kubeconfig} PATH=${sandbox.binDir}:$PATH\n`);
    });
  program
    .command("down")
    .description("end it and leave nothing but the cache (seconds)")
    .option("--purge", "remove the cache, too: the next start builds everything again")
    .action(async ({ purge = false }: { purge?: boolean }) => sandboxDown({ ...options, purge }));
  program
    .command("status")
    .description("what runs, and the images; exits with 3 unless it is up")
    .option("-o, --output <format>", "json for programs")
    .action(async ({ output }: { output?: string }) => {
      if (output !== undefined && output !== "json") {
        throw new FabricError("usage", `expected -o json, found -o ${output}`, { hint: "leave it out for text" });
      }
      const status = await sandboxStatus();
      print(output === "json" ? `${JSON.stringify(status, undefined, 2)}\n` : statusText(status));
      if (status.state !== "up") process.exitCode = 3;
    });
  program
    .command("load")
    .description("bring an image into the cluster")
    .argument("<file>", "archive as docker save writes it")
    .action(async (file: string) => sandboxLoad(file, options));
  program
    .command("image")
    .description("make an image if need be (up to some minutes), and print the path of its archive")
    .argument("<name>", "as status lists them, or fabric-nodeenv")
    .action(async (name: string) => print(`${await sandboxImage(name, options)}\n`));
  program
    .command("kubeconfig")
    .description("print the path of the kubeconfig")
    .action(() => print(`${sandboxKubeconfig()}\n`));
  return program;
}

await runScript({
  command: sandboxCommand,
  leftovers: () => "npm run sandbox -- down removes what was started; npm run sandbox -- up goes on.",
});
