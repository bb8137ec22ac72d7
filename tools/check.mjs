// Everything that CI runs, for a person and for .ci/run: tests, format and lint, types of the tests, the build from scratch (which
// refuses upward imports), the packed package, alone and on every runtime. Ends with the tests' own count, all sets together.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const scratch = mkdtempSync(join(tmpdir(), "crcnn-check-"));
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

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Runs a set of tests and adds what its runner has counted. */
function checkTests(name, script) {
  const report = join(scratch, `${script.replace(":", "-")}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  check(name, npm, "run", "--silent", script, "--", ...reporters);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    counts.passed += numPassedTests;
    counts.failed += numFailedTests;
    counts.skipped += numPendingTests + numTodoTests;
    if (numPassedTests === 0) failures.push(`${name}: no test ran`);
    // Named at the end, too, where a long log is looked at first.
    const results = testResults.flatMap(({ assertionResults }) => assertionResults);
    for (const { fullName, failureMessages } of results.filter(({ status }) => status === "failed")) {
      failures.push(`${name}: ${fullName}: ${failureMessages.join(" ").split("\n")[0]}`);
    }
  } catch (error) {
    failures.push(`the report of the ${name} (${error.message})`);
  }
}

// First, since it installs what the others need.
checkTests("tests", "test");
checkTests("large networks", "test:networks");
checkTests("slow tests", "test:slow");
checkTests("soak test", "test:soak");
checkTests("tests on every runtime", "test:runtimes");
check("format and lint", tool("@biomejs", "biome", "bin", "biome"), "ci", ".");
check("generated files", [process.execPath], join(root, "tools", "build-wasm.mjs"), "--check");
// From scratch: an incremental build could pass over a file whose tier lost a reference.
rmSync(join(root, "dist"), { recursive: true, force: true });
check("build and import direction", [process.execPath], join(root, "tools", "setup.mjs"));
check("types of the tests", tool("@typescript", "native", "bin", "tsc"), "-p", "test");
check("types of the benchmarks", tool("@typescript", "native", "bin", "tsc"), "-p", "bench", "--noEmit");
check("package metadata", tool("publint", "src", "cli.js"), "--strict");
check("package types", tool("@arethetypeswrong", "cli", "dist", "index.js"), "--pack", ".", "--profile", "esm-only");

rmSync(scratch, { recursive: true, force: true });
if (counts.skipped > 0) failures.push(`${counts.skipped} skipped tests`);
if (failures.length > 0) console.error(`\nfailed:\n  ${failures.join("\n  ")}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failures.length > 0 ? 1 : 0);
