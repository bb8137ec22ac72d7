/**
 * Compiled networks in a folder, so that the next process does not search again. An entry is named by a hash of all that `compile` reads: the model as
 * the planner sees it, every option, the program's version. The cache is never an error: what cannot be read is compiled again, what cannot be
 * written is left.
 */

import { createHash, randomBytes } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { mapArrays } from "../../plan/index.ts";
import {
  type CkksCompileOptions,
  type Compiled,
  type CompileOptions,
  compile,
  compileInputs,
  readPlan,
  type SourceModel,
  savePlan,
} from "../index.ts";

/** Plain data, so that threads can be told of a cache. */
export interface PlanCacheOptions {
  readonly directory: string;
  /** Tells builds of the program apart: another one may choose other plans. */
  readonly version: string;
  /** What all entries together may take; those that were not used for longest go. 512 MiB by default. */
  readonly maximumBytes?: number | undefined;
}

export interface PlanCache {
  /** As the builder's `compile`, which it calls where there is no entry. */
  readonly compile: typeof compile;
}

const DEFAULT_BYTES = 2 ** 29;
const EXTENSION = ".plan";
const UNFINISHED = ".tmp";
/** Whoever wrote a file that is not finished by then has died, in milliseconds. */
const ABANDONED = 3_600_000;
/** Before the plan itself, its own key: a file under a name that is not its own is nobody's. */
const KEY_BYTES = 32;

/**
 * Where caches are kept on this system: `$XDG_CACHE_HOME/crcnn` or `~/.cache/crcnn`, `~/Library/Caches/crcnn` on macOS,
 * `%LOCALAPPDATA%\crcnn\Cache` on Windows.
 */
export function defaultCacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = env;
  if (xdg && isAbsolute(xdg)) return join(xdg, "crcnn");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "crcnn");
  if (platform === "win32" && local) return join(local, "crcnn", "Cache");
  return join(homedir(), ".cache", "crcnn");
}

/** Opens a cache. The folder is made when something is written to it. */
export function createPlanCache({ directory, version, maximumBytes = DEFAULT_BYTES }: PlanCacheOptions): PlanCache {
  const pathOf = (key: Buffer): string => join(directory, key.toString("hex") + EXTENSION);

  function read(key: Buffer): Compiled | undefined {
    const path = pathOf(key);
    try {
      const { size } = lstatSync(path);
      if (size > maximumBytes || !lstatSync(path).isFile()) return undefined;
      const bytes = readFileSync(path);
      if (!bytes.subarray(0, KEY_BYTES).equals(key)) return undefined;
      const network = readPlan(bytes.subarray(KEY_BYTES), path);
      // Somebody else's folder may be read and not written.
      ifPossible(() => utimesSync(path, new Date(), new Date()));
      return network;
    } catch {
      return undefined;
    }
  }

  function write(key: Buffer, network: Compiled): void {
    const bytes = savePlan(network);
    if (KEY_BYTES + bytes.length > maximumBytes) return;
    const path = pathOf(key);
    const unfinished = `${path}.${process.pid}.${randomBytes(6).toString("hex")}${UNFINISHED}`;
    try {
      // Plans hold the model's weights.
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFileSync(unfinished, Buffer.concat([key, bytes]), { mode: 0o600, flag: "wx" });
      renameSync(unfinished, path);
      prune(path);
    } catch {
      ifPossible(() => rmSync(unfinished, { force: true }));
    }
  }

  /** Makes room, and takes away what was never finished. */
  function prune(newest: string): void {
    const entries: { path: string; size: number; used: number }[] = [];
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (!stats?.isFile()) continue;
      if (name.endsWith(UNFINISHED) && Date.now() - stats.mtimeMs > ABANDONED) rmSync(path, { force: true });
      if (name.endsWith(EXTENSION) && path !== newest) entries.push({ path, size: stats.size, used: stats.mtimeMs });
    }
    entries.sort((left, right) => right.used - left.used);
    let bytes = statSync(newest).size;
    for (const { path, size } of entries) {
      bytes += size;
      if (bytes > maximumBytes) rmSync(path, { force: true });
    }
  }

  function compileCached(model: SourceModel, options: CompileOptions): ReturnType<typeof compile> {
    // Integer networks are found without a search.
    if (!isApproximate(options)) return compile(model, options);
    const key = keyOf(model, options, version);
    const found = key && read(key);
    if (found) return found;
    const network = compile(model, options);
    if (key) write(key, network);
    return network;
  }
  return { compile: compileCached as typeof compile };
}

function isApproximate(options: CompileOptions): options is CkksCompileOptions {
  return options?.scheme !== "bfv";
}

function ifPossible(work: () => void): void {
  try {
    work();
  } catch {
    // The file system does not let us.
  }
}

/** @returns undefined where the model or the options are refused: `compile` says why. */
function keyOf(model: SourceModel, options: CompileOptions, version: string): Buffer | undefined {
  const hash = createHash("sha256");
  try {
    const skeleton = mapArrays(compileInputs(model, options), (array) => {
      hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return [array.constructor.name, array.length];
    });
    return hash.update(JSON.stringify(["crcnn plan cache 1", version, skeleton])).digest();
  } catch {
    return undefined;
  }
}
