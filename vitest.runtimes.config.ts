import { defineConfig } from "vitest/config";

/** The packed package on every runtime. */
export default defineConfig({
  test: {
    include: ["test/runtimes/*.runtimes.ts"],
    globalSetup: "test/runtimes/setup.ts",
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 1,
  },
});
