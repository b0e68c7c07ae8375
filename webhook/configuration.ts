import { parseArgs } from "node:util";
import { webhookObjects } from "../core/injection/webhook-objects.ts";

/** The configuration of one process, from its command line; the namespace may come from its environment. */
export interface Configuration {
  /** HTTPS, for the API server. */
  readonly port: number;
  /** Plain HTTP, for the kubelet and Prometheus. */
  readonly probesPort: number;
  readonly namespace: string;
  readonly service: string;
  /** Name of the MutatingWebhookConfiguration. */
  readonly configuration: string;
  readonly authoritySecret: string;
  readonly leafSecret: string;
  /** Directory of a certificate that somebody else issues; without it we issue and publish our own. */
  readonly certificates: string | undefined;
  /** File with the operator's settings. */
  readonly settings: string | undefined;
  /** Milliseconds that the Service's endpoints may take to remove a process that ends. */
  readonly drainMs: number;
}

const flags = {
  port: { type: "string", default: "8443" },
  "probes-port": { type: "string", default: "8080" },
  namespace: { type: "string" },
  service: { type: "string", default: webhookObjects.name },
  configuration: { type: "string", default: webhookObjects.name },
  "authority-secret": { type: "string", default: webhookObjects.authority },
  "leaf-secret": { type: "string", default: webhookObjects.leaf },
  certificates: { type: "string" },
  settings: { type: "string" },
  "drain-seconds": { type: "string", default: "5" },
} as const;

/** Reads the command line. Throws Error when a flag is wrong; the message names the flag, what was expected and what was found. */
export function parseConfiguration(argv: readonly string[], env: NodeJS.ProcessEnv): Configuration {
  const { values } = parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  return {
    port: number("port", values.port, 65_535),
    probesPort: number("probes-port", values["probes-port"], 65_535),
    namespace: values.namespace ?? env["POD_NAMESPACE"] ?? webhookObjects.namespace,
    service: values.service,
    configuration: values.configuration,
    authoritySecret: values["authority-secret"],
    leafSecret: values["leaf-secret"],
    certificates: values.certificates,
    settings: values.settings,
    drainMs: number("drain-seconds", values["drain-seconds"], 3600) * 1000,
  };
}

function number(flag: string, text: string, maximum: number): number {
  if (/^\d+$/.test(text) && Number(text) <= maximum) return Number(text);
  throw new Error(`--${flag}: expected a whole number up to ${maximum}, found ${JSON.stringify(text)}`);
}

/** The DNS names under which the API server and people inside the cluster reach the Service. */
export function serviceHosts({ service, namespace }: Configuration): readonly string[] {
  return [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}`,
    service,
    `${service}.${namespace}.svc.cluster.local`,
  ];
}
