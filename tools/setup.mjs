// Makes a fresh clone ready: checks Node, installs from the lockfile when it changed, builds. Built-ins only; talks on
// standard error alone, so that `npm run -s crcnn -- run … --json` prints nothing but its result on standard output.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `crcnn needs Node 20.19 or newer; this is Node ${process.versions.node}. Install a newer one and try again.`,
  );
  process.exit(1);
}

/** Runs a command with both of its streams on our standard error; ends the process when it fails. */
function run(what, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  console.error(`crcnn: ${what} failed${error ? `: ${error.message}` : ""}`);
  process.exit(status ?? 1);
}

const stamp = join(root, "node_modules", ".crcnn-lockfile");
const lockfile = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lockfile) {
  console.error("crcnn: installing the dependencies named in package-lock.json …");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if (npm) run("npm ci", process.execPath, [npm, ...args]);
  else run("npm ci", process.platform === "win32" ? "npm.cmd" : "npm", args);
  writeFileSync(stamp, lockfile);
}
if (!existsSync(join(root, "dist", "cli", "main.js"))) console.error("crcnn: building …");
run("the build", process.execPath, [join(root, "node_modules", "@typescript", "native", "bin", "tsc"), "-b"]);

const kernels = join(root, "dist", "math", "wasm");
const { KERNELS_BASE64 } = await import(pathToFileURL(join(kernels, "kernels.gen.js")).href);
const wasm = Buffer.from(KERNELS_BASE64, "base64");
const file = join(kernels, "kernels.wasm");
if (!existsSync(file) || !readFileSync(file).equals(wasm)) writeFileSync(file, wasm);
