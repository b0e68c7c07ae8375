// For loading on demand: in the bundle, `import()` of the CommonJS package itself would have only the default export.
export { stringify } from "yaml";
