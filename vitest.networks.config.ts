import { defineConfig } from "vitest/config";

/** Networks that take minutes to compile and run. One at a time: each needs more than a gigabyte. */
export default defineConfig({ test: { include: ["test/networks/*.slow.ts"], maxWorkers: 1 } });
