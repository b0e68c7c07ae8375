// End-to-end tests: on a sandbox that they bring up, or on a cluster that is there.
import { parseArgs } from "node:util";
import { runVitest } from "../vitest-run.ts";

const usage = `Usage: npm run test:e2e -- [--context NAME] [--fabric-version TAG] [--load-image FILE] [-t PATTERN] [FILE...]

  --context NAME        on this cluster of your kubeconfig, with public images, instead of a sandbox; what needs to look
                        into the node, or to stop the API server, is left out, and said
                        (our webhook is uninstalled there at the end, also one that was there before)
  --fabric-version TAG  of Fabric's images there (default: 3.1)
  --load-image FILE     archive of fabric-nodeenv, for daemons there that reach no registry
  -t PATTERN            only tests with such a name
  FILE                  only files with such a name (default: all)

Each file has namespaces of its own; test/e2e/alone/ also takes the webhook away for a while, and runs at the end.
Takes 20 minutes on two processors.

Examples:
  npm run test:e2e
  npm run test:e2e -- lifecycle -t rollback
  npm run test:e2e -- --context kind-kind network`;

function argumentsOf(): ReturnType<typeof parse> | undefined {
  try {
    return parse();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}\nhint: npm run test:e2e -- --help`);
    return undefined;
  }
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      context: { type: "string" },
      "fabric-version": { type: "string" },
      "load-image": { type: "string" },
      testNamePattern: { type: "string", short: "t" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

async function run({ values, positionals }: ReturnType<typeof parse>): Promise<number> {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const env = {
    ...process.env,
    ...(values.context !== undefined && { E2E_CONTEXT: values.context }),
    ...(values["fabric-version"] !== undefined && { E2E_FABRIC_VERSION: values["fabric-version"] }),
    ...(values["load-image"] !== undefined && { E2E_LOAD_IMAGE: values["load-image"] }),
  };
  const some = positionals.length > 0 ? ["--passWithNoTests", ...positionals] : [];
  const elsewhere = values.context === undefined ? [] : ["--exclude", "test/e2e/sandbox.test.ts"];
  const pattern = values.testNamePattern === undefined ? [] : ["-t", values.testNamePattern];
  let worst = 0;
  for (const project of ["e2e", "e2e-alone"]) {
    const code = await runVitest(project, [...some, ...elsewhere, ...pattern], env);
    if (code === 130) return code;
    worst ||= code;
  }
  return worst;
}

const given = argumentsOf();
process.exitCode = given === undefined ? 2 : await run(given);
