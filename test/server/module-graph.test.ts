import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/**
 * The server has no secret key: no module that can be reached from its built entries touches one. This reads what ships, so a
 * mistake of the build or of the bundled sources shows as well as one of the source tree.
 */
const dist = join(import.meta.dirname, "..", "..", "dist");
const ENTRIES = ["server/index.js", "server/node/index.js"];
/** What every entry reaches, and what that on Node does, whose threads are modules of their own. */
const REACHED = [
  "server/app.js",
  "server/compute-core.js",
  "builder/compile.js",
  "plan/encrypted.js",
  "rlwe/wire/keys.js",
  "server/elementwise/compute-layers.js",
  "builder/elementwise.js",
  "bfv/evaluator.js",
];
const REACHED_ON_NODE = ["server/node/worker.js", "server/node/run-thread.js", "math/threads/node/worker.js"];
const SECRETS =
  /createSecretKey|decryptPhase|decryptBfv|encryptSymmetric|encryptBfvSymmetric|generateGaloisKey|generateRelinearizationKey|createOwner|createBfvOwner/;

/** Imports, and the files that threads are started from. */
function specifiersOf(text: string): string[] {
  const forms =
    /(?:^|[\s;}])(?:import|export)\s*(?:[\w*{}\s,$]+?\s*from\s*)?["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']\s*\)|\bnew URL\(\s*["']([^"']+)["'],\s*import\.meta\.url/g;
  return [...text.matchAll(forms)].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
}

const root = join(dist, "..");
const { imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  imports: Record<string, Record<string, string>>;
};

/** The files that a specifier may stand for: for a subpath import those of every runtime. Undefined for a package. */
function targetsOf(specifier: string, importer: string): string[] | undefined {
  // A file may be followed by how it is to be loaded, as in kernels.wasm?module.
  if (specifier.startsWith(".")) return [resolve(dirname(importer), specifier.replace(/\?.*$/, ""))];
  const built = Object.values(imports[specifier] ?? {}).filter((path) => path.startsWith("./dist/"));
  return built.length > 0 ? built.map((path) => join(root, path)) : undefined;
}

/** All modules behind an entry, with the packages that they import. */
function walk(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const pending = [entry];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const specifier of specifiersOf(readFileSync(file, "utf8"))) {
      const targets = targetsOf(specifier, file);
      if (targets) pending.push(...targets);
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

test.each(ENTRIES)("nothing that %s reaches touches a secret key", (name) => {
  const { files, packages } = walk(join(dist, name));
  const names = [...files].map((file) => relative(dist, file).replaceAll("\\", "/"));
  expect(names.length).toBeGreaterThan(60);
  const reached = name.includes("/node/") ? [...REACHED, ...REACHED_ON_NODE] : REACHED;
  expect(names).toEqual(expect.arrayContaining(reached));
  expect(names.filter((path) => /^(owner|client|cli|api)\/|^\.\./.test(path))).toEqual([]);
  // A package of this name would lead around the walk.
  expect(
    [...packages].filter(
      (specifier) => specifier === "crcnn" || specifier.startsWith("crcnn/") || specifier.startsWith("#"),
    ),
  ).toEqual([]);
  const touching = [...files].filter((file) => SECRETS.test(readFileSync(file, "utf8")));
  expect(touching.map((file) => relative(dist, file))).toEqual([]);
});

test("the walk sees what it should: the client's entry does reach the secret key", () => {
  const { files } = walk(join(dist, "client/index.js"));
  expect([...files].some((file) => SECRETS.test(readFileSync(file, "utf8")))).toBe(true);
  expect([...files].some((file) => relative(dist, file).startsWith("owner"))).toBe(true);
});

test("every specifier that the walk follows is a file, and imports are computed nowhere", () => {
  for (const entry of ENTRIES) {
    for (const file of walk(join(dist, entry)).files) {
      expect(existsSync(file) && statSync(file).isFile(), file).toBe(true);
      const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      expect(text, fileURLToPath(`file://${file}`)).not.toMatch(
        /\bimport\s*\(\s*[^"'\s)]|\bnew URL\(\s*[^"'\s)]|\bnew Worker\((?!new URL\()|\brequire\s*\(|createRequire/,
      );
    }
  }
});
