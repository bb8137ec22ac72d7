import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
let consumer: string;
let files: { path: string; size: number }[];

/** What npm would publish, copied into a consumer's node_modules beside our dependencies. */
beforeAll(() => {
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const [command, ...prefix] = npm as [string, ...string[]];
  const listing = execFileSync(command, [...prefix, "pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    stdio: ["ignore", "pipe", "ignore"],
  });
  files = JSON.parse(listing.toString())[0].files;
  consumer = mkdtempSync(join(tmpdir(), "crcnn-consumer-"));
  const installed = join(consumer, "node_modules", "crcnn");
  for (const { path } of files) {
    mkdirSync(dirname(join(installed, path)), { recursive: true });
    cpSync(join(root, path), join(installed, path));
  }
  for (const name of Object.keys(manifest.dependencies)) {
    const target = join(consumer, "node_modules", name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(root, "node_modules", name), target, "dir");
  }
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", type: "module", private: true }));
});

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));

function runNode(script: string): string {
  writeFileSync(join(consumer, "script.js"), script);
  return execFileSync(process.execPath, ["script.js"], { cwd: consumer, stdio: ["ignore", "pipe", "pipe"] }).toString();
}

describe("the package as it would be published", () => {
  test("holds the build and its papers, and no source, test or build information", () => {
    const paths = files.map(({ path }) => path);
    for (const needed of [
      "README.md",
      "LICENSE",
      "SECURITY.md",
      "dist/cli/main.js",
      "dist/api/index.d.ts",
      "dist/math/wasm/kernels.wasm",
    ]) {
      expect(paths).toContain(needed);
    }
    expect(paths.filter((path) => /^(src|test|tools|docs)\/|tsbuildinfo|\.test\./.test(path))).toEqual([]);
  });

  test("is smaller than two megabytes and a half", () => {
    expect(files.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2.5 * 2 ** 20);
  });

  test("every subpath can be imported and exports something", () => {
    const names = subpaths.map((path) => `crcnn${path.slice(1)}`);
    const script = `for (const name of ${JSON.stringify(names)}) {
      const exported = Object.keys(await import(name));
      if (exported.length === 0) throw new Error(name + " exports nothing");
    }
    console.log("imported");`;
    expect(runNode(script).trim()).toBe("imported");
  });

  test("a user's program encrypts, evaluates and decrypts", () => {
    const model = JSON.stringify(join(root, "assets", "models", "lenet1-square.pt"));
    const script = `import { readFileSync } from "node:fs";
    import { buildFromPytorch, compile, createOwner, loadTorch, prepareProgram, runEncrypted, runModel } from "crcnn";
    const model = loadTorch(readFileSync(${model}), "lenet1-square.pt");
    const image = { shape: [1, 28, 28], data: new Float64Array(784).map((_, i) => (i % 7) / 7) };
    const { manifest, plans, schedules } = compile(model, { inputShape: [1, 28, 28] });
    const owner = await createOwner(manifest);
    const program = prepareProgram(plans[0], schedules[0], owner.evaluator.encoder);
    const result = runEncrypted(program, owner.evaluator.operations, owner.encryptInput(manifest.segments[0], image));
    const logits = owner.decryptOutput(manifest.segments[0], result).data;
    const plain = runModel(model, image).data;
    console.log(Math.max(...logits.map((value, i) => Math.abs(value - plain[i]))) < 1e-2, typeof buildFromPytorch);`;
    expect(runNode(script).trim()).toBe("true function");
  });

  test("the README's program runs as it stands there", () => {
    const [, program] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8")) as unknown as [
      string,
      string,
    ];
    cpSync(join(root, "assets", "models", "lenet1-square.pt"), join(consumer, "model.pt"));
    cpSync(join(root, "assets", "digits", "digit7-a.png"), join(consumer, "digit.png"));
    expect(runNode(program).trim()).toBe("class 7");
  });

  test("a server runs from it, and finds the file that its threads start from", () => {
    mkdirSync(join(consumer, "models"), { recursive: true });
    cpSync(join(root, "test", "fixtures", "variants", "linear-plain.pt"), join(consumer, "models", "linear.pt"));
    const script = `import { createClient } from "crcnn/client";
    import { serve } from "crcnn/server/node";
    const server = await serve({ models: "models", port: 0, workers: 1, threads: 2 });
    const session = await createClient({ server: server.url }).open("linear", { inputShape: [12] });
    const { logits } = await session.classify({ shape: [12], data: new Float64Array(12).fill(0.5) });
    await session.close();
    await server.close();
    console.log(logits.data.every(Number.isFinite), logits.data.length);`;
    expect(runNode(script).trim()).toMatch(/^true \d+$/);
  });

  test("its types serve a strict program in TypeScript", () => {
    const uses = subpaths.map((path, i) => `import * as tier${i} from "crcnn${path.slice(1)}";\nexport { tier${i} };`);
    writeFileSync(
      join(consumer, "uses.ts"),
      `${uses.join("\n")}
import { compile, type CompiledNetwork, loadTorch } from "crcnn";
export const network: CompiledNetwork = compile(loadTorch(new Uint8Array()), { inputShape: [1, 28, 28] });
// @ts-expect-error a shape is a list
compile(loadTorch(new Uint8Array()), { inputShape: 28 });
`,
    );
    const compiler = join(root, "node_modules", "@typescript", "native", "bin", "tsc");
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
    const run = (): Buffer =>
      execFileSync(
        process.execPath,
        [compiler, ...options, "--typeRoots", join(root, "node_modules", "@types"), "uses.ts"],
        {
          cwd: consumer,
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
    expect(run).not.toThrow();
  });

  test("no run-time dependency has an install script", () => {
    for (const name of Object.keys(manifest.dependencies)) {
      const { scripts = {} } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
      expect(Object.keys(scripts).filter((script) => /^(pre|post)?install$/.test(script))).toEqual([]);
    }
  });

  test("every dependency is pinned exactly", () => {
    for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies } as Record<
      string,
      string
    >)) {
      expect(version).toMatch(/^(npm:.+@)?\d+\.\d+\.\d+$/);
    }
  });
});
