import { defineConfig } from "vitest/config";

/** The slow set: days of use in minutes. */
export default defineConfig({ test: { include: ["test/soak/*.soak.ts"], maxWorkers: 1 } });
