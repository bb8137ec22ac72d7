/** A model from wherever it is. */

import { readFile } from "#read-file";
import { CrcnnError } from "../../errors/index.ts";
import { type ReadModelOptions, readModel } from "../read-model.ts";
import { MAX_FILE_BYTES } from "../source/limits.ts";
import type { SourceModel } from "../source/source-model.ts";
import { printable } from "../source/text.ts";
import type { ModelSource } from "./source.ts";

/**
 * Reads a network: `await load("model.pt")`, `await load("weights.safetensors", { architecture })`.
 *
 * A string or URL is a path or address: in Node, Deno and Bun a file, or fetched where it begins with http; elsewhere always fetched. The file's
 * content decides how it is read, not its name: see {@link readModel}, also for what is thrown.
 *
 * @throws CrcnnError SERVER_REFUSED or SERVER_UNREACHABLE for addresses, and what the file system says of a file that cannot be read; TypeError for
 * a source that is none.
 */
export async function load(source: ModelSource, options: ReadModelOptions = {}): Promise<SourceModel> {
  const name = options.name ?? nameOf(source);
  return readModel(await bytesOf(source, name), { ...options, name });
}

async function bytesOf(source: ModelSource, name: string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof source === "string" || source instanceof URL) return readFile(source, MAX_FILE_BYTES);
  if (!(source instanceof Blob)) {
    throw new TypeError("source must be a path, a URL, or the content of a file as Uint8Array, ArrayBuffer or Blob");
  }
  if (source.size > MAX_FILE_BYTES) {
    const problem = `the file has ${source.size} bytes, at most ${MAX_FILE_BYTES} are read`;
    throw new CrcnnError("LIMIT_EXCEEDED", `${printable(name)}: ${problem}`);
  }
  return new Uint8Array(await source.arrayBuffer());
}

function nameOf(source: ModelSource): string {
  if (typeof source === "string") return source;
  if (source instanceof URL) return source.href;
  return source instanceof File ? source.name : "model";
}
