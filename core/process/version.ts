declare const __VERSION__: string | undefined;

/** The version of package.json, set when a program is bundled; a checkout that was not built has none. */
export const version: string = typeof __VERSION__ === "undefined" ? "0.0.0-dev" : __VERSION__;
