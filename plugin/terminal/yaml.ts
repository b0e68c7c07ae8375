// A file of ours, to be loaded when it is needed: of a CommonJS package itself, a bundle's `import()` has the default export only.
export { stringify } from "yaml";
