import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const CORE = ["math", "rlwe", "ckks"];
const LIMIT = 60_000;
const ENTRY = "virtual:core";

/** Everything that a page loads for the core, its threads' script too, as vite bundles it for browsers. */
async function bundle(): Promise<{ name: string; bytes: number; gzipped: number }[]> {
  const { output } = (await build({
    root,
    configFile: false,
    logLevel: "warn",
    plugins: [
      {
        name: "core",
        resolveId: (id) => (id === ENTRY ? `\0${ENTRY}` : null),
        load: (id) => (id === `\0${ENTRY}` ? CORE.map((tier) => `export * from "crcnn/${tier}";`).join("\n") : null),
      },
    ],
    build: {
      write: false,
      target: "es2022",
      modulePreload: { polyfill: false },
      rollupOptions: { input: ENTRY, preserveEntrySignatures: "strict" },
    },
  })) as Rollup.RollupOutput;
  return output.map((file) => {
    const content = Buffer.from(file.type === "chunk" ? file.code : file.source);
    return { name: file.fileName, bytes: content.length, gzipped: gzipSync(content, { level: 9 }).length };
  });
}

test("the core (math, rlwe and ckks) is less than 60 kB for a browser, minified and gzipped", async () => {
  const files = await bundle();
  // The core itself, with the kernels in it, and the script of its threads.
  expect(files.filter(({ bytes }) => bytes > 20_000)).toHaveLength(2);
  const gzipped = files.reduce((sum, file) => sum + file.gzipped, 0);
  console.log(
    `core bundle: ${(gzipped / 1000).toFixed(1)} kB gzipped (${files.map((file) => file.gzipped).join(" + ")})`,
  );
  expect(gzipped).toBeLessThan(LIMIT);
});
