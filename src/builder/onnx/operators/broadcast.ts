/** Constants that operators combine with the image's tensor element by element. */

import type { Shape, Tensor } from "../../../plan/index.ts";
import { mixesImages, type Operation, unsupported, withBatch } from "../operation.ts";

/**
 * A constant operand, without its batch axis, that repeats to a shape as numpy does: integers as the floats that they are.
 *
 * @param shape of the image's tensor, without the batch axis.
 * @throws CrcnnError UNSUPPORTED_LAYER where it has a value of its own for every image of a batch, or would enlarge the tensor.
 */
export function constantOf(operation: Operation, input: number, shape: Shape): Tensor {
  const value = operation.inputs[input];
  const constant =
    value?.kind === "integers"
      ? { shape: value.shape, data: Float64Array.from(operation.numbers(input, "constant") ?? []) }
      : operation.weight(input, "constant");
  const rank = shape.length + 1;
  const missing = rank - constant.shape.length;
  if (missing === 0 && constant.shape[0] !== 1) {
    throw mixesImages(operation, `its constant of shape ${constant.shape.join("x")} has an axis for them`);
  }
  const own = missing === 0 ? constant.shape.slice(1) : constant.shape;
  const offset = shape.length - own.length;
  if (offset >= 0 && own.every((size, axis) => size === 1 || size === shape[offset + axis])) {
    return { shape: own, data: constant.data };
  }
  throw unsupported(
    operation,
    `combines a tensor of shape ${withBatch(shape)} with a constant of ${constant.shape.join("x")}: a constant may be repeated, the tensor not`,
  );
}
