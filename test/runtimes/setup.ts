/** Once for all runtimes: installs them, packs the package, and installs it in a scratch folder as a user would. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import type { TestProject } from "vitest/node";
import type { Input } from "./programs/lenet1.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A user's project with the package installed and the programs in it. */
    readonly project: string;
    /** How many images are classified. */
    readonly count: number;
  }
}

const folder = import.meta.dirname;
const root = join(folder, "..", "..");
const fixtures = join(folder, "..", "fixtures");
const IMAGES = "mnist16-images-idx3-ubyte.gz";
const COUNT = 3;

function npm(directory: string, ...args: string[]): string {
  const path = process.env.npm_execpath;
  const [command, ...prefix] = path ? [process.execPath, path] : ["npm"];
  return execFileSync(command!, [...prefix, ...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
}

function installRuntimes(): void {
  const stamp = join(folder, "node_modules", ".crcnn-lockfile");
  const lockfile = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lockfile) return;
  npm(folder, "ci");
  writeFileSync(stamp, lockfile);
}

/** The programs in JavaScript, since not every Node reads TypeScript, and the first images of the test set. */
function writePrograms(project: string): void {
  const programs = join(folder, "programs");
  for (const name of readdirSync(programs)) {
    const { outputText } = ts.transpileModule(readFileSync(join(programs, name), "utf8"), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ES2022,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    // Addresses of workers are no imports to the compiler.
    writeFileSync(
      join(project, name.replace(/\.ts$/, ".js")),
      outputText.replaceAll('.ts", import.meta', '.js", import.meta'),
    );
  }
  const model = readFileSync(join(fixtures, "models", "lenet1-square", "lenet1-square.pt"));
  writeFileSync(join(project, "model.pt"), model);
  const input: Input = {
    model: model.toString("base64"),
    images: readFileSync(join(fixtures, "data", IMAGES), "base64"),
    count: COUNT,
  };
  writeFileSync(join(project, "input.json"), JSON.stringify(input));
}

export function setup({ provide }: TestProject): () => void {
  installRuntimes();
  const project = mkdtempSync(join(tmpdir(), "crcnn-runtimes-"));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "user", type: "module", private: true }));
  npm(root, "pack", "--silent", "--ignore-scripts", "--pack-destination", project);
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"))!;
  npm(project, "install", `./${tarball}`);
  writePrograms(project);
  provide("project", project);
  provide("count", COUNT);
  return () => rmSync(project, { recursive: true, force: true });
}
