import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** The metrics for Prometheus. Times are in seconds. */
export interface Metrics {
  /** Counts one review that was answered: its result (injected, untouched, denied, passed), the reason, and its duration. */
  admitted(result: string, reason: string, seconds: number): void;
  /** Counts one that was not, with the result "invalid". It has no duration: it would make the answers look faster. */
  refused(reason: string): void;
  /** When the certificates end. */
  certificatesEnd(authority: Date, leaf: Date): void;
  settingsValid(valid: boolean): void;
  ready(ready: boolean): void;
  /** The exposition, and its content type. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Metrics in a registry of their own. */
export function newMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The process itself: event loop, heap, garbage collector.
  collectDefaultMetrics({ register: registry });
  const admissions = new Counter({
    name: "kubectl_fabric_admissions_total",
    help: "Admission reviews by result and reason.",
    labelNames: ["result", "reason"],
    registers,
  });
  const seconds = new Histogram({
    name: "kubectl_fabric_admission_duration_seconds",
    help: "Time from a whole review received to its answer handed over.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const expiry = new Gauge({
    name: "kubectl_fabric_certificate_expiry_timestamp_seconds",
    help: "When a certificate ends, in seconds since 1970.",
    labelNames: ["certificate"],
    registers,
  });
  const valid = new Gauge({
    name: "kubectl_fabric_settings_valid",
    help: "1 when the settings file was read as it is now, 0 when an older reading is in use.",
    registers,
  });
  const ready = new Gauge({ name: "kubectl_fabric_ready", help: "1 when reviews can be answered.", registers });
  const build = new Gauge({
    name: "kubectl_fabric_build_info",
    help: "Always 1; the version is its label.",
    labelNames: ["version"],
    registers,
  });
  build.set({ version }, 1);
  return {
    admitted: (result, reason, duration) => {
      admissions.inc({ result, reason });
      seconds.observe(duration);
    },
    refused: (reason) => admissions.inc({ result: "invalid", reason }),
    certificatesEnd: (authority, leaf) => {
      expiry.set({ certificate: "authority" }, authority.getTime() / 1000);
      expiry.set({ certificate: "leaf" }, leaf.getTime() / 1000);
    },
    settingsValid: (is) => valid.set(is ? 1 : 0),
    ready: (is) => ready.set(is ? 1 : 0),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
