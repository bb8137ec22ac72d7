// Finds the browsers that the package is tested in. CI installs those that are missing; a person is told how.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

/** By name: the variable that may hold the path, programs on the PATH, and Debian's package. */
const BROWSERS = {
  Chromium: {
    variable: "CHROMIUM",
    programs: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
    debian: "chromium",
  },
  Firefox: { variable: "FIREFOX", programs: ["firefox-esr", "firefox"], debian: "firefox-esr" },
};

/** The path of a browser. @throws Error that says how to get it. */
export function findBrowser(name) {
  const { variable, programs, debian } = BROWSERS[name];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = process.env[variable]
    ? [process.env[variable]]
    : programs.flatMap((program) => folders.map((folder) => join(folder, program)));
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new Error(
    `${name} is missing: install it (apt-get install ${debian}), or name its path in the variable ${variable}`,
  );
}

const isMissing = (name) => {
  try {
    return !findBrowser(name);
  } catch {
    return true;
  }
};

function install(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", ...packages]]) {
    const { status, error } = spawnSync("apt-get", ["-qq", ...args], { env, stdio: ["ignore", 2, 2] });
    if (status === 0) continue;
    console.error(`apt-get ${args[0]} failed${error ? `: ${error.message}` : ""}`);
    return;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const missing = Object.keys(BROWSERS).filter(isMissing);
  if (missing.length > 0 && process.env.CI) install(missing.map((name) => BROWSERS[name].debian));
  try {
    for (const name of Object.keys(BROWSERS)) findBrowser(name);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
