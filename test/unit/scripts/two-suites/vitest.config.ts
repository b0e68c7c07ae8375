import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    projects: ["first", "second"].map((name) => ({ test: { name, include: [`${name}.ts`] } })),
  },
});
