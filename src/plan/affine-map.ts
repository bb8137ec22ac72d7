/**
 * A sparse affine operator on the elements of a tensor, y = M x + b: what every convolution, pooling and linear layer is
 * to the lowering. Compressed sparse rows; the columns of a row are strictly increasing; no stored weight is zero.
 */

import { type Shape, sizeOf } from "./tensor.ts";

export interface AffineMap {
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Row r holds the entries `rowStart[r]` … `rowStart[r + 1] - 1`; length is rows + 1. */
  readonly rowStart: Int32Array;
  readonly column: Int32Array;
  readonly weight: Float64Array;
  /** One value a row. */
  readonly bias: Float64Array;
}

/** Number of stored entries. */
export function nonzeros(map: AffineMap): number {
  return map.column.length;
}

/** y = M x + b for `x` with as many values as the map has columns. */
export function applyAffine(map: AffineMap, x: Float64Array): Float64Array {
  if (x.length !== sizeOf(map.inputShape)) {
    throw new RangeError(`x must hold ${sizeOf(map.inputShape)} values, got ${x.length}`);
  }
  const y = Float64Array.from(map.bias);
  for (let row = 0; row < y.length; row++) {
    let sum = 0;
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) sum += map.weight[k] * x[map.column[k]];
    y[row] += sum;
  }
  return y;
}
