/** Files that the commands read, and what comes with the package. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { loadTorch, type SourceModel } from "../builder/index.ts";

/** Seen from `dist/cli`, where this runs. */
const PACKAGE = new URL("../../", import.meta.url);

/** The path of something that comes with the package. */
export function packagePath(path: string): string {
  return fileURLToPath(new URL(path, PACKAGE));
}

export async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(packagePath("package.json"), "utf8")) as { version: string };
  return version;
}

/** A file that the user named. What the system says of a folder does not name it, so its path is added. */
export async function readNamed(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw Object.assign(error as NodeJS.ErrnoException, { path: file });
  }
}

export async function loadModel(file: string): Promise<SourceModel> {
  return loadTorch(await readNamed(file), file);
}
