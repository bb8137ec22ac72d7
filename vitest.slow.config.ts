import { defineConfig } from "vitest/config";

/** The slow set: ten thousand random cases an operation. */
export default defineConfig({
  test: { include: ["test/slow/*.slow.ts"], setupFiles: ["test/setup.ts"], testTimeout: 600_000, maxWorkers: 2 },
});
