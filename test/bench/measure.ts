import type { Lifetime } from "../../build/lifetime.ts";

/** What options say, for the parts that ask. */
export interface Settings {
  readonly runs: number;
  readonly requests: number;
  readonly rounds: number;
  readonly soak: number;
  readonly starts: number;
  readonly output: "table" | "json";
}

/** Measures something and prints it. What it begins is in the lifetime; when that ends early, it is not waited for. */
export type Measure = (lifetime: Lifetime, settings: Settings) => Promise<void>;
