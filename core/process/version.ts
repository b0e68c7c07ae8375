declare const __VERSION__: string | undefined;

/** The version of package.json, set when a program is bundled; "0.0.0-dev" when it runs from its sources. */
export const version: string = typeof __VERSION__ === "undefined" ? "0.0.0-dev" : __VERSION__;
