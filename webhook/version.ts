declare const __VERSION__: string | undefined;

/** Set by the bundler; a checkout that was not built has none. */
export const VERSION = typeof __VERSION__ === "undefined" ? "0.0.0-dev" : __VERSION__;
