import type { Remedy } from "../remedy.ts";

export const levels = ["ok", "warning", "problem", "unknown"] as const;
/** unknown: it could not be looked at; the text says why. */
export type Level = (typeof levels)[number];

/** The result about one thing that was examined. */
export interface Finding {
  readonly level: Level;
  /** What it is about: "cluster", "webhook", "storage", "namespace org1". */
  readonly about: string;
  readonly text: string;
  /** What to do, or to look at, next. */
  readonly hint?: Remedy;
}

/** A fact, or why it is not known. */
export type Known<T> =
  { readonly known: true; readonly value: T } | { readonly known: false; readonly because: string };

export function unknown(about: string, what: string, because: string): Finding {
  return { level: "unknown", about, text: `${what}: ${because}` };
}
