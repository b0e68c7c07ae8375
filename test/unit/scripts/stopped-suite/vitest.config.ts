import { defineConfig } from "vitest/config";
import { OrderlyStop } from "../../../orderly-stop.ts";

export default defineConfig({
  test: { root: import.meta.dirname, include: ["suite.ts"], reporters: ["default", new OrderlyStop()] },
});
