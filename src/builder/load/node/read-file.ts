/** Files from the file system of Node, Deno and Bun; http addresses are fetched. */

import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { CrcnnError } from "../../../errors/index.ts";
import { collectChunks } from "../chunks.ts";
import { readFile as fetchFile } from "../fetch-file.ts";
import type { ReadFile } from "../source.ts";

const CHUNK_BYTES: number = 2 ** 20;
const HTTP = /^https?:/i;
const FILE = /^file:/i;

/**
 * A file, which may be a device or a pipe without an end.
 *
 * @throws CrcnnError LIMIT_EXCEEDED, and what the system says; of a folder it does not say the name, so the path is added.
 */
export const readLocalFile: ReadFile = async (path, limit) => {
  try {
    return await collectChunks(createReadStream(path, { highWaterMark: CHUNK_BYTES }), limit, String(path));
  } catch (error) {
    if (error instanceof CrcnnError) throw error;
    throw Object.assign(error as NodeJS.ErrnoException, { path: String(path) });
  }
};

/** @throws as {@link readLocalFile}, as `fetchFile` for http addresses. */
export const readFile: ReadFile = async (path, limit) => {
  const address = String(path);
  if (HTTP.test(address)) return fetchFile(path, limit);
  return readLocalFile(FILE.test(address) ? fileURLToPath(address) : path, limit);
};
