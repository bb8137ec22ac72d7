/**
 * A sparse affine operator on the elements of a tensor, y = M x + b: what every convolution, pooling and linear layer is
 * to the lowering. Compressed sparse rows; the columns of a row are strictly increasing; no stored weight is zero.
 */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "./tensor.ts";

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

/** Adds one entry to the row that is being filled. */
export type AddEntry = (column: number, weight: number) => void;

/** Writes the entries of one row: any order, duplicates are added up, zeros are allowed. */
export type FillRow = (row: number, add: AddEntry) => void;

/**
 * Makes an affine map row by row; duplicate columns are added up, columns sorted, zeros (also those of a cancellation) dropped.
 *
 * @param fillRow called once for each row, in order.
 * @param bias one value a row; zero where omitted.
 * @throws RangeError when a size is no positive integer below 2^31, a column lies outside the input, the bias has another
 * length than the output, or a value is not finite.
 */
export function affineMap(
  inputShape: Shape,
  outputShape: Shape,
  fillRow: FillRow,
  bias?: ArrayLike<number>,
): AffineMap {
  const rows = indexableSize("outputShape", outputShape);
  if (bias !== undefined && bias.length !== rows) {
    throw new RangeError(`bias must hold ${rows} values, one a row of ${formatShape(outputShape)}, got ${bias.length}`);
  }
  const ownBias = bias === undefined ? new Float64Array(rows) : new Float64Array(bias);
  // Without a limit there is always a result.
  return collectRows(inputShape, outputShape, fillRow, ownBias, Number.POSITIVE_INFINITY)!;
}

/**
 * The map that keeps every element and gives it another shape.
 *
 * @throws RangeError when the two shapes have different numbers of elements.
 */
export function identityAffine(inputShape: Shape, outputShape: Shape = inputShape): AffineMap {
  const size = indexableSize("inputShape", inputShape);
  if (sizeOf(outputShape) !== size) {
    throw new RangeError(
      `outputShape must have the ${size} elements of ${formatShape(inputShape)}, got ${formatShape(outputShape)}`,
    );
  }
  return {
    inputShape: [...inputShape],
    outputShape: [...outputShape],
    rowStart: Int32Array.from({ length: size + 1 }, (_, row) => row),
    column: Int32Array.from({ length: size }, (_, row) => row),
    weight: new Float64Array(size).fill(1),
    bias: new Float64Array(size),
  };
}

/** What a composition may cost at most; what is left out is unlimited. */
export interface ComposeLimit {
  /** Entries of the result: memory. */
  readonly nonzeros?: number;
  /** Products of two entries: time. Dense factors have few entries in their product and yet take long. */
  readonly products?: number;
}

/**
 * `second` after `first` as one map: M = M2 M1, b = M2 b1 + b2. Row-by-row sparse product (Gustavson, "Two fast algorithms
 * for sparse matrices", ACM TOMS 4(3), 1978).
 *
 * @returns undefined when the product would go over the limit: a search that tries many fusions counts on it.
 * @throws CrcnnError SHAPE_MISMATCH when the output of `first` is not the input of `second`.
 * @throws RangeError when a product overflows.
 */
export function composeAffine(second: AffineMap, first: AffineMap): AffineMap;
export function composeAffine(second: AffineMap, first: AffineMap, limit: ComposeLimit): AffineMap | undefined;
export function composeAffine(second: AffineMap, first: AffineMap, limit: ComposeLimit = {}): AffineMap | undefined {
  if (!sameShape(first.outputShape, second.inputShape)) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `the first map gives ${formatShape(first.outputShape)}, the second takes ${formatShape(second.inputShape)}; ` +
        "put identityAffine between them where only the shape differs",
    );
  }
  if (limit.products !== undefined && countProducts(second, first) > limit.products) return undefined;
  const fillRow: FillRow = (row, add) => {
    for (let k = second.rowStart[row]; k < second.rowStart[row + 1]; k++) {
      const middle = second.column[k];
      const factor = second.weight[k];
      for (let j = first.rowStart[middle]; j < first.rowStart[middle + 1]; j++) {
        add(first.column[j], factor * first.weight[j]);
      }
    }
  };
  const bias = applyAffine(second, first.bias);
  return collectRows(first.inputShape, second.outputShape, fillRow, bias, limit.nonzeros ?? Number.POSITIVE_INFINITY);
}

function countProducts(second: AffineMap, first: AffineMap): number {
  let products = 0;
  for (const middle of second.column) products += first.rowStart[middle + 1] - first.rowStart[middle];
  return products;
}

/** The compressed rows that `fillRow` describes, or undefined as soon as they hold more than `limit` entries. */
function collectRows(
  inputShape: Shape,
  outputShape: Shape,
  fillRow: FillRow,
  bias: Float64Array,
  limit: number,
): AffineMap | undefined {
  const columns = indexableSize("inputShape", inputShape);
  const rows = bias.length;
  for (const [row, value] of bias.entries()) {
    if (!Number.isFinite(value)) throw new RangeError(`the bias must be finite, got ${value} in row ${row}`);
  }
  const rowStart = new Int32Array(rows + 1);
  let column: Int32Array = new Int32Array(rows);
  let weight: Float64Array = new Float64Array(rows);
  let length = 0;

  // The row being filled, dense, so that duplicates meet; `lastRow` tells a stale sum from a current one without clearing.
  const sum = new Float64Array(columns);
  const lastRow = new Int32Array(columns).fill(-1);
  const touched = new Int32Array(columns);
  let count = 0;
  let sorted = true;
  let current = 0;
  const add: AddEntry = (at, value) => {
    if (lastRow[at] === current) {
      sum[at] += value;
    } else if (at >= 0 && at < columns && Number.isInteger(at)) {
      lastRow[at] = current;
      sum[at] = value;
      sorted &&= count === 0 || touched[count - 1] < at;
      touched[count++] = at;
    } else {
      throw new RangeError(
        `row ${current} names column ${at}, the input ${formatShape(inputShape)} has 0 … ${columns - 1}`,
      );
    }
  };

  for (; current < rows; current++) {
    count = 0;
    sorted = true;
    fillRow(current, add);
    if (!sorted) touched.subarray(0, count).sort();
    if (length + count > column.length) {
      const capacity = Math.max(length + count, 2 * column.length);
      column = enlarged(column, new Int32Array(capacity));
      weight = enlarged(weight, new Float64Array(capacity));
    }
    for (let k = 0; k < count; k++) {
      const value = sum[touched[k]];
      if (!Number.isFinite(value)) {
        throw new RangeError(`weights must be finite, got ${value} in row ${current}, column ${touched[k]}`);
      }
      if (value === 0) continue;
      column[length] = touched[k];
      weight[length++] = value;
    }
    if (length > limit) return undefined;
    rowStart[current + 1] = length;
  }
  return {
    inputShape: [...inputShape],
    outputShape: [...outputShape],
    rowStart,
    column: column.slice(0, length),
    weight: weight.slice(0, length),
    bias,
  };
}

function enlarged<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Number of elements of a shape that rows and columns can be counted in. */
function indexableSize(name: string, shape: Shape): number {
  const size = sizeOf(shape);
  if (!shape.every((axis) => Number.isInteger(axis) && axis > 0) || size >= 2 ** 31) {
    throw new RangeError(`${name} must hold positive integers with a product below 2^31, got ${formatShape(shape)}`);
  }
  return size;
}
