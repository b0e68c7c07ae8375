import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Container } from "./containers/container.ts";

/** The metrics for Prometheus. Times are in seconds, sizes in bytes. */
export interface Metrics {
  started(kind: Container["kind"]): void;
  ended(kind: Container["kind"], success: boolean, seconds: number): void;
  measured(containers: readonly Container[], images: number, imageBytes: number, preparedBytes: number): void;
  /** Sets the number of missing kernel rules. */
  unconfined(missing: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

/** Metrics in a registry of their own. */
export function newMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `kubectl_fabric_runner_${name}`, help, labelNames: [...labelNames], registers });
  const launches = new Counter({
    name: "kubectl_fabric_runner_launches_total",
    help: "Commands started, by kind: build or chaincode.",
    labelNames: ["kind"],
    registers,
  });
  const ends = new Counter({
    name: "kubectl_fabric_runner_ends_total",
    help: "Commands that ended, by kind and success.",
    labelNames: ["kind", "success"],
    registers,
  });
  const builds = new Histogram({
    name: "kubectl_fabric_runner_build_duration_seconds",
    help: "Time that builds of chaincode took.",
    buckets: [1, 2, 5, 10, 20, 60, 120, 300, 600, 1200],
    registers,
  });
  const running = gauge("containers", "Containers that run, by kind.", ["kind"]);
  const processes = gauge("processes", "Processes of all containers.");
  const memory = gauge("memory_bytes", "Memory that the processes of all containers have resident.");
  const images = gauge("images", "Images of chaincode.");
  const disk = gauge("image_bytes", "Disk that images of chaincode take.");
  const prepared = gauge("prepared_bytes", "Disk that unpacked images take, ready for the next start of chaincode.");
  const missing = gauge(
    "isolation_missing_rules",
    "Rules of isolation that the kernel has not; 0 where chaincode is confined.",
  );
  gauge("build_info", "Always 1; the version is its label.", ["version"]).set({ version }, 1);
  return {
    started: (kind) => launches.inc({ kind }),
    ended: (kind, success, seconds) => {
      ends.inc({ kind, success: String(success) });
      if (kind === "build") builds.observe(seconds);
    },
    measured: (containers, imageCount, imageBytes, preparedBytes) => {
      const live = containers.filter(({ state }) => state.status === "running");
      for (const kind of ["build", "chaincode"] as const) {
        running.set({ kind }, live.filter((container) => container.kind === kind).length);
      }
      processes.set(live.reduce((sum, { usage }) => sum + usage.processes, 0));
      memory.set(live.reduce((sum, { usage }) => sum + usage.resident, 0));
      images.set(imageCount);
      disk.set(imageBytes);
      prepared.set(preparedBytes);
    },
    unconfined: (rules) => missing.set(rules),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
