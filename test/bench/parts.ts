import type { Measure } from "./measure.ts";

export interface Part {
  readonly name: string;
  readonly what: string;
  /** About how long, on two processors with nothing else to do. */
  readonly takes: string;
  /** Whether it measures what `npm run build` makes. */
  readonly ofBuild: boolean;
  readonly load: () => Promise<{ readonly measure: Measure }>;
}

/** In the order in which all of them run. */
export const parts: readonly Part[] = [
  {
    name: "orphans",
    what: "memory of the look for peers among 500 to 20,000 Pods",
    takes: "15 s",
    ofBuild: false,
    load: () => import("./orphans.ts"),
  },
  {
    name: "runner",
    what: "chaincode in Docker and in the runner: start, build, calls, memory",
    takes: "5 min",
    ofBuild: false,
    load: () => import("./runner.ts"),
  },
  {
    name: "runtimes",
    what: "calls of chaincode by DinD and as a service; memory and first call on demand",
    takes: "6 min",
    ofBuild: false,
    load: () => import("./runtimes.ts"),
  },
  {
    name: "seed",
    what: "chaincode onto four peers: built by each, copied, seeded, composed; a lost graph",
    takes: "5 min",
    ofBuild: false,
    load: () => import("./seed.ts"),
  },
  {
    name: "startup",
    what: "how long the plugin takes to start",
    takes: "10 s",
    ofBuild: true,
    load: () => import("./startup.ts"),
  },
  {
    name: "webhook",
    what: "the webhook beside two in Go that inject the same: start, load, memory",
    takes: "15 min",
    ofBuild: true,
    load: () => import("./webhook.ts"),
  },
];
