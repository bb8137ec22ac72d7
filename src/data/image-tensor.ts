/** What every reader of this folder returns, and the limits that all of them keep. */

import { CrcnnError } from "../errors/index.ts";

/** A dense array of doubles in row-major (C) order; an image is `[channels, height, width]`. */
export interface ImageTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Most values that one file may hold (2^24: 128 MiB of doubles, or 21,399 images of 28x28). */
export const MAX_VALUES: number = 2 ** 24;

/** Most axes of an array in a file. */
export const MAX_AXES = 8;

/**
 * The number of values of a shape that a file declares, checked before anything is allocated.
 *
 * @throws CrcnnError INVALID_FILE for an empty axis, LIMIT_EXCEEDED above {@link MAX_VALUES} values or {@link MAX_AXES} axes.
 */
export function countValues(shape: readonly number[]): number {
  if (shape.length > MAX_AXES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `its array has ${shape.length} axes; at most ${MAX_AXES} are read`);
  }
  let count = 1;
  for (const size of shape) {
    if (size < 1) throw new CrcnnError("INVALID_FILE", `its array is empty: the shape is ${shape.join("x")}`);
    count *= size;
    if (count > MAX_VALUES) {
      throw new CrcnnError(
        "LIMIT_EXCEEDED",
        `its shape ${shape.join("x")} has more than ${MAX_VALUES} values: split it`,
      );
    }
  }
  return count;
}

/**
 * Checks that exactly `needed` bytes of array data follow a file's header.
 *
 * @throws CrcnnError INVALID_FILE when the file is cut off or longer than its header says.
 */
export function checkLength(available: number, needed: number): void {
  if (available < needed) {
    throw new CrcnnError("INVALID_FILE", `it is cut off: ${needed} bytes of data are declared, ${available} are there`);
  }
  if (available > needed) {
    throw new CrcnnError(
      "INVALID_FILE",
      `${available - needed} bytes follow the ${needed} bytes of data that it declares`,
    );
  }
}
