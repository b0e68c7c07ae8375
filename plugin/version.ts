declare const __VERSION__: string | undefined;

/** The version of package.json, set when the program is bundled. */
export const version: string = typeof __VERSION__ === "undefined" ? "0.0.0-development" : __VERSION__;
