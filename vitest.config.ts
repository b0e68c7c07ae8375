import { defineConfig } from "vitest/config";
import { OrderlyStop } from "./test/orderly-stop.ts";
import { Times } from "./test/times.ts";

// No test is tried again: what only works at the second time is a defect, of the product or of the test.
export default defineConfig({
  test: {
    retry: 0,
    // npm run coverage
    coverage: { include: ["{core,plugin,webhook,runner}/**/*.ts"], reporter: ["text-summary", "html", "lcovonly"] },
    reporters: ["default", new Times(), new OrderlyStop()],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          setupFiles: ["test/unit/property-replay.ts"],
          maxWorkers: 2, // they work; vitest would leave one of two processors to others
          // Property tests on a busy machine take longer than the usual 5 s.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // Real servers on loopback, no cluster: they wait more than they work, so there are more of them than processors.
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: [
            "test/memory-folder.ts",
            "test/chaincode/install.ts",
            "test/integration/programs.ts",
            "test/contract/programs.ts",
          ],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 3,
        },
      },
      // The same cases against the emulator and real Fabric, nodes as processes on loopback.
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: [
            "test/memory-folder.ts",
            "test/chaincode/install.ts",
            "test/contract/programs.ts",
            "test/contract/report.ts",
          ],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 3,
        },
      },
      // One cluster, on which each file has namespaces of its own.
      {
        test: {
          name: "e2e",
          include: ["test/e2e/*.test.ts"],
          globalSetup: ["test/chaincode/install.ts", "test/e2e/setup.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: 3,
        },
      },
      // An operator's hour on the same cluster, for real Fabric: `npm run test:fabric`.
      {
        test: {
          name: "e2e-hour",
          include: ["test/e2e/hour/*.test.ts"],
          globalSetup: ["test/chaincode/install.ts", "test/e2e/setup.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      // The same cluster, to which they do things that everybody on it would notice.
      {
        test: {
          name: "e2e-alone",
          include: ["test/e2e/alone/*.test.ts"],
          globalSetup: ["test/chaincode/install.ts", "test/e2e/setup.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
