/** Where the commands keep compiled plans. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../builder/index.ts";
import { createPlanCache, defaultCacheDirectory, type PlanCacheOptions } from "../builder/node/index.ts";
import { packagePath, packageVersion } from "./files.ts";

/** Option of all commands that compile, for citty. */
export const cacheOptions = {
  cache: {
    type: "boolean",
    default: true,
    description: "Keep compiled plans for the next time, in the system's folder for caches",
    negativeDescription: "Neither read nor write compiled plans; the variable CRCNN_NO_CACHE=1 does the same",
  },
} as const;

/** @returns undefined where plans are not to be kept. */
export async function planCacheOptions(wanted: boolean): Promise<PlanCacheOptions | undefined> {
  if (!wanted || process.env.CRCNN_NO_CACHE) return undefined;
  return { directory: defaultCacheDirectory(), version: await buildVersion() };
}

/** `compile` with or without a cache. */
export async function cachedCompile(wanted: boolean): Promise<typeof compile> {
  const options = await planCacheOptions(wanted);
  return options ? createPlanCache(options).compile : compile;
}

/** The package's version; in a checkout, where the program changes without it, also what was built when. */
async function buildVersion(): Promise<string> {
  const version = await packageVersion();
  if (!existsSync(packagePath("src"))) return version;
  const dist = packagePath("dist");
  const built = readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .sort()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(dist, name));
      return [name, size, mtimeMs];
    });
  return `${version}+${createHash("sha256").update(JSON.stringify(built)).digest("hex")}`;
}
