/** CIFAR-10's binary files (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label and 3x32x32 bytes, without a header. */

import { CrcnnError } from "../errors/index.ts";
import type { ImageTensor } from "./image-tensor.ts";

const SHAPE = [3, 32, 32] as const;
const PIXELS = 3 * 32 * 32;
const RECORD = 1 + PIXELS;
const CLASSES = 10;

/**
 * One image of a file, in [0, 1].
 *
 * @param index Counted from 0.
 * @throws CrcnnError INVALID_FILE for bytes that are no whole records; RangeError for an image that the file does not have.
 */
export function readCifar10(bytes: Uint8Array, name: string, index: number): ImageTensor {
  const count = bytes.length / RECORD;
  if (!Number.isInteger(count) || count === 0 || (bytes[0] as number) >= CLASSES) {
    throw new CrcnnError(
      "INVALID_FILE",
      `${name}: it is no binary file of CIFAR-10, which has records of ${RECORD} bytes`,
    );
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`index must be an integer from 0 to ${count - 1}, the images of ${name}, got ${index}`);
  }
  const start = index * RECORD + 1;
  return { shape: SHAPE, data: Float64Array.from(bytes.subarray(start, start + PIXELS), (byte) => byte / 255) };
}
