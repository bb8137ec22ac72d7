/** Files that the commands read, and what comes with the package. */

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { loadTorch, requireExact, requireSupported, type SourceModel } from "../builder/index.ts";
import { CrcnnError } from "../errors/index.ts";

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

/** As many bytes as the largest model may have (256 MiB); images have less. */
const MAX_FILE_BYTES = 2 ** 28;
const CHUNK_BYTES = 2 ** 20;

/**
 * A file that the user named, which may be a device or a pipe without an end.
 *
 * @throws CrcnnError LIMIT_EXCEEDED, and what the system says; of a folder it does not say the name, so the path is added.
 */
export async function readNamed(file: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_FILE_BYTES) {
        throw new CrcnnError("LIMIT_EXCEEDED", `${file}: it has more than the ${MAX_FILE_BYTES} bytes that are read`);
      }
    }
  } catch (error) {
    if (error instanceof CrcnnError) throw error;
    throw Object.assign(error as NodeJS.ErrnoException, { path: file });
  }
  return Buffer.concat(chunks, length);
}

/** @param exactLayers Layers that are exact in the clear alone may be there: something was chosen to be done about them. */
export async function loadModel(file: string, exactLayers = false): Promise<SourceModel> {
  const model = loadTorch(await readNamed(file), file);
  if (exactLayers) requireExact(model);
  else requireSupported(model);
  return model;
}
