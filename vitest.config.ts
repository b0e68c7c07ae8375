import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      // Property tests on a busy machine take longer than the usual 5 s.
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
      // Real servers on loopback, no cluster: up to ten processes a file, so one file at a time. What is tried again is a race
      // on a busy machine (a leader, a peer that has not yet heard of another); a defect fails three times.
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          retry: 2,
        },
      },
      // The same cases against the emulator and real Fabric, nodes as processes on loopback.
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: "test/contract/report.ts",
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          retry: 2,
        },
      },
      // One cluster, one thing at a time. Tried again as above, once; the report says so ("retry x1").
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: "test/e2e/setup.ts",
          testTimeout: 600_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
          retry: 1,
        },
      },
    ],
  },
});
