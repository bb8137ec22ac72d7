/** Dense real tensors in the clear: the language that layers, layouts and interpreters share. */

/** Sizes by axis, slowest first, without a batch axis: `[channels, height, width]` or `[features]`. */
export type Shape = readonly number[];

/** A dense tensor of doubles in row-major (C) order; `data.length` is the product of `shape`. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** Number of elements of a shape; 1 for the empty shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A shape as people write it: `4x24x24`. */
export function formatShape(shape: Shape): string {
  return shape.join("x");
}

/** True where both shapes have the same sizes in the same order. */
export function sameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}

/**
 * Makes a tensor, checking that the shape fits the data.
 *
 * @throws RangeError when a size is not a positive integer or the product differs from the number of values.
 */
export function tensor(shape: Shape, data: ArrayLike<number>): Tensor {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new RangeError(`shape must hold positive integers, got ${formatShape(shape)}`);
    }
  }
  if (sizeOf(shape) !== data.length) {
    throw new RangeError(`shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}`);
  }
  return { shape: [...shape], data: data instanceof Float64Array ? data : Float64Array.from(data) };
}
