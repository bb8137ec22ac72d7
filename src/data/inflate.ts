/** Decompression with a bound on the output: a small file cannot make the reader allocate much. */

import { Gunzip, Unzlib } from "fflate";
import { CrcnnError } from "../errors/index.ts";

/** Deflate expands at most 1032 times, so a slice of this size can yield 4 MiB before the bound is looked at again. */
const SLICE_BYTES = 4096;

/**
 * Inflates a whole gzip or zlib stream.
 *
 * @param limit most bytes of output; inflating stops as soon as there are more.
 * @throws CrcnnError INVALID_FILE for damaged or truncated input, LIMIT_EXCEEDED when the output passes `limit`.
 */
export function inflate(format: "gzip" | "zlib", bytes: Uint8Array, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  let finished = false;
  const collect = (chunk: Uint8Array, final: boolean): void => {
    total += chunk.length;
    if (total > limit) {
      throw new CrcnnError("LIMIT_EXCEEDED", `its compressed data inflates to more than ${limit} bytes`);
    }
    chunks.push(chunk);
    finished ||= final;
  };
  const stream = format === "gzip" ? new Gunzip(collect) : new Unzlib(collect);
  try {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      stream.push(bytes.subarray(at, at + SLICE_BYTES), at + SLICE_BYTES >= bytes.length);
    }
  } catch (error) {
    if (error instanceof CrcnnError) throw error;
    throw damaged(format, error);
  }
  if (!finished) throw damaged(format);
  const output = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    output.set(chunk, at);
    at += chunk.length;
  }
  return output;
}

function damaged(format: string, cause?: unknown): CrcnnError {
  return new CrcnnError("INVALID_FILE", `its ${format} data is damaged or cut off: copy the file again`, { cause });
}

/** Header and trailer of a gzip file (RFC 1952, 2.3). */
const GZIP_OVERHEAD = 18;

/**
 * Inflates a gzip file and checks the length in its trailer.
 *
 * @throws CrcnnError as {@link inflate}.
 */
export function gunzip(bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length < GZIP_OVERHEAD) throw damaged("gzip");
  const output = inflate("gzip", bytes, limit);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - 4, true);
  if (declared !== output.length) throw damaged("gzip");
  return output;
}
