// Everything that CI runs, for a person and for .ci/run: tests, format and lint, types of the tests, the build from scratch (which
// refuses upward imports), the packed package. Ends with the tests' own count.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const scratch = mkdtempSync(join(tmpdir(), "crcnn-check-"));
const report = join(scratch, "tests.json");
const tool = (...path) => [process.execPath, join(root, "node_modules", ...path)];
const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ["npm"];

/** Runs a command with our streams; true when it succeeds. */
function run(name, command, ...args) {
  console.error(`\n== ${name}`);
  const { status, error } = spawnSync(command[0], [...command.slice(1), ...args], { cwd: root, stdio: "inherit" });
  if (error) console.error(`${name}: ${error.message}`);
  return status === 0;
}

const failures = [];
const check = (name, command, ...args) => {
  if (!run(name, command, ...args)) failures.push(name);
};

// First, since it installs what the others need.
check("tests", npm, "test", "--", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`);
check("large networks", npm, "run", "--silent", "test:networks");
check("soak test", npm, "run", "--silent", "test:soak");
check("format and lint", tool("@biomejs", "biome", "bin", "biome"), "ci", ".");
check("generated files", [process.execPath], join(root, "tools", "build-wasm.mjs"), "--check");
// From scratch: an incremental build could pass over a file whose tier lost a reference.
rmSync(join(root, "dist"), { recursive: true, force: true });
check("build and import direction", tool("@typescript", "native", "bin", "tsc"), "-b");
check("types of the tests", tool("@typescript", "native", "bin", "tsc"), "-p", "test");
check("types of the benchmarks", tool("@typescript", "native", "bin", "tsc"), "-p", "bench", "--noEmit");
check("package metadata", tool("publint", "src", "cli.js"), "--strict");
check("package types", tool("@arethetypeswrong", "cli", "dist", "index.js"), "--pack", ".", "--profile", "esm-only");

let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
try {
  counts = JSON.parse(readFileSync(report, "utf8"));
} catch (error) {
  failures.push(`the tests' report (${error.message})`);
}
rmSync(scratch, { recursive: true, force: true });
const skipped = counts.numPendingTests + counts.numTodoTests;
if (skipped > 0) failures.push(`${skipped} skipped tests`);
if (counts.numPassedTests === 0) failures.push("no test ran");
if (failures.length > 0) console.error(`\nfailed: ${failures.join(", ")}`);
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
process.exit(failures.length > 0 ? 1 : 0);
