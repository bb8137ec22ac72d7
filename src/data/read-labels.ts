/** Labels from a file's bytes: one integer an image. */

import { CrcnnError } from "../errors/index.ts";
import { isIdx, readIdx } from "./idx.ts";
import { gunzip } from "./inflate.ts";
import { MAX_INFLATED_BYTES } from "./read-images.ts";

/**
 * Reads an IDX file of one axis, gzipped or not.
 *
 * @param name the file's name, for messages.
 * @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE, LIMIT_EXCEEDED.
 */
export function readLabels(bytes: Uint8Array, name: string): Int32Array {
  try {
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzip(bytes, MAX_INFLATED_BYTES) : bytes;
    if (!isIdx(plain)) throw new CrcnnError("UNSUPPORTED_FILE", "it is no IDX file of labels, which is what is read");
    const { shape, data } = readIdx(plain);
    if (shape.length !== 1) {
      throw new CrcnnError("UNSUPPORTED_FILE", `it is an IDX file of ${shape.length} axes; labels have one`);
    }
    const at = data.findIndex((label) => !Number.isInteger(label));
    if (at >= 0) throw new CrcnnError("INVALID_FILE", `label ${at} is ${data[at]}; labels are integers`);
    return Int32Array.from(data);
  } catch (error) {
    if (!(error instanceof CrcnnError)) throw error;
    throw new CrcnnError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}
