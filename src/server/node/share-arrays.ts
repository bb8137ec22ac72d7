/** Plain data for several threads. */

import { mapArrays } from "../../plan/index.ts";

/**
 * Copies data with its typed arrays in shared memory, so that threads to which it is posted read the same bytes instead of copies of them.
 * Arrays that are used twice stay one.
 *
 * @param data Plain data: primitives, arrays, objects, `Float64Array`, `Int32Array`. What is frozen by its type must not be written to by anyone.
 * @throws TypeError for anything else.
 */
export function shareArrays<T>(data: T): T {
  return mapArrays(data, (array) => {
    const memory = new SharedArrayBuffer(array.byteLength);
    const copy = array instanceof Float64Array ? new Float64Array(memory) : new Int32Array(memory);
    copy.set(array);
    return copy;
  });
}
