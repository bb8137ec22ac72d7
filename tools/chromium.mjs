// Prints where Chromium is, for the tests of browsers. CI installs it where it is missing; a person is told how.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The path of a Chromium: CHROMIUM from the environment, or the first on the PATH. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

function install() {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
    const { status, error } = spawnSync("apt-get", ["-qq", ...args], { env, stdio: ["ignore", 2, 2] });
    if (status !== 0) {
      console.error(`apt-get ${args[0]} failed${error ? `: ${error.message}` : ""}`);
      return;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!findChromium() && process.env.CI) install();
  const path = findChromium();
  if (!path || !existsSync(path)) {
    console.error(
      "Chromium is missing: install it (apt-get install chromium), or name its path in the variable CHROMIUM",
    );
    process.exit(1);
  }
  console.error(`Chromium: ${path}`);
}
