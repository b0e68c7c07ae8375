import type { Plugin } from "esbuild";

/** What a dependency brings along and the webhook has no use for: who imports it, and the names that are asked of it. */
interface LeftOut {
  readonly importer: RegExp;
  readonly names: readonly string[];
}

const EXPRESS = /[\\/]express[\\/]lib[\\/]/;
const CLIENT_NODE = /[\\/]@kubernetes[\\/]client-node[\\/]/;
const PROM_CLIENT = /[\\/]prom-client[\\/]/;

const LEFT_OUT: Readonly<Record<string, LeftOut>> = {
  // Bodies are read by request-body.ts; no files are served, no query is looked at, and answers name their types in full.
  "body-parser": { importer: EXPRESS, names: ["json", "raw", "text", "urlencoded"] },
  qs: { importer: EXPRESS, names: ["parse"] },
  send: { importer: EXPRESS, names: [] },
  "serve-static": { importer: EXPRESS, names: [] },
  "mime-types": { importer: /[\\/](express[\\/]lib|accepts|type-is)[\\/]/, names: ["contentType", "lookup"] },
  // cluster-api.ts takes certificates and tokens of a configuration, never its proxy.
  hpagent: { importer: CLIENT_NODE, names: ["HttpProxyAgent", "HttpsProxyAgent"] },
  socks: { importer: CLIENT_NODE, names: ["SocksClient"] },
  "socks-proxy-agent": { importer: CLIENT_NODE, names: ["SocksProxyAgent"] },
  // People log in by an identity provider or a program; the webhook is a service account.
  "openid-client": { importer: CLIENT_NODE, names: ["allowInsecureRequests", "discovery", "refreshTokenGrant"] },
  "jsonpath-plus": { importer: CLIENT_NODE, names: ["JSONPath"] },
  "node:child_process": { importer: CLIENT_NODE, names: ["execSync", "spawn", "spawnSync"] },
  // Metrics are fetched, not pushed, and carry no traces.
  "./lib/pushgateway": { importer: PROM_CLIENT, names: [] },
  // One process has no workers to add up.
  "./lib/cluster": { importer: PROM_CLIENT, names: [] },
  "@opentelemetry/api": { importer: PROM_CLIENT, names: ["context", "trace"] },
};

/** Small stand-ins for what is called, but would load much more than that. */
const INSTEAD: Readonly<Record<string, string>> = {
  // Of fs/promises files are read (a build that wants more of it fails); its handles and watchers load Node's readline and its history.
  "node:fs/promises": `
import { readFile as read } from "node:fs";
import { promisify } from "node:util";
export const readFile = promisify(read);
`,
  // Express tells nothing unless DEBUG asks it to.
  debug: `module.exports = () => Object.assign(() => {}, { enabled: false });`,
};

/**
 * An esbuild plugin that leaves out of the webhook's bundle what it never calls: half of the bytes, and about a sixth of the CPU to the
 * first answer. A call of it nevertheless is an error that names it. client-node reads YAML as settings-file.ts does.
 */
export const leanWebhook: Plugin = {
  name: "lean-webhook",
  setup(build) {
    build.onResolve({ filter: filterOf(Object.keys(LEFT_OUT)) }, ({ path, importer }) =>
      LEFT_OUT[path]?.importer.test(importer) === true ? { path, namespace: "left-out-webhook" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "left-out-webhook" }, ({ path }) => ({
      contents: absent(path, LEFT_OUT[path]?.names ?? []),
      loader: "js",
    }));
    build.onResolve({ filter: /^\.\/lib\/defaultMetrics$/ }, ({ path, importer, resolveDir }) =>
      PROM_CLIENT.test(importer) ? { path, namespace: "later-webhook", pluginData: resolveDir } : undefined,
    );
    // Loaded when it is called first: event loop, heap and garbage collector take a dozen of Node's modules.
    build.onLoad({ filter: /.*/, namespace: "later-webhook" }, ({ path, pluginData }) => ({
      contents: `module.exports = (options) => require(${JSON.stringify(`${path}.js`)})(options);`,
      loader: "js",
      resolveDir: pluginData as string,
    }));
    for (const [name, contents] of Object.entries(INSTEAD)) {
      const filter = new RegExp(`^${name}$`);
      build.onResolve({ filter }, () => ({ path: name, namespace: "instead-webhook" }));
      build.onLoad({ filter, namespace: "instead-webhook" }, () => ({ contents, loader: "js" }));
    }
    build.onResolve({ filter: /^js-yaml$/ }, ({ importer }) =>
      CLIENT_NODE.test(importer) ? { path: "js-yaml", namespace: "one-yaml" } : undefined,
    );
    build.onLoad({ filter: /^js-yaml$/, namespace: "one-yaml" }, () => ({
      // JSON is YAML, and yaml takes 10 ms of a start for a kubeconfig that JSON.parse reads at once.
      contents: `
import { parse } from "yaml";
export function load(text) { try { return JSON.parse(text); } catch { return parse(text); } }
`,
      loader: "js",
      resolveDir: import.meta.dirname,
    }));
  },
};

function filterOf(paths: readonly string[]): RegExp {
  return new RegExp(`^(?:${paths.map((path) => path.replaceAll(".", "\\.")).join("|")})$`);
}

function absent(path: string, names: readonly string[]): string {
  const message = JSON.stringify(`${path} is not in the webhook's bundle: see webhook/bundle.ts`);
  return `
function absent() { throw new Error(${message}); }
const standIn = { ${names.map((name) => `${name}: absent`).join(", ")} };
export { standIn as default };
${names.map((name) => `export const ${name} = absent;`).join("\n")}
`;
}
