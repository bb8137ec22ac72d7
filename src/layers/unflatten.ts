import { CrcnnError } from "../errors/index.ts";
import { type Evaluator, formatShape, identityAffine, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface UnflattenOptions {
  /** The axis to split, counted as PyTorch counts, with the batch as axis 0; negative ones count from the end. */
  readonly dim: number;
  /** What it becomes. One size may be -1: what is left. */
  readonly unflattenedSize: readonly number[];
}

/**
 * torch.nn.Unflatten: splits one axis into several, the values keep their order.
 *
 * @throws TypeError or RangeError for an axis or a size that is no integer, for the batch axis, and for more than one size of -1.
 */
export function unflattenLayer(options: UnflattenOptions): Layer {
  const { dim, unflattenedSize } = options;
  integerOption("Unflatten: dim", dim, -(2 ** 31));
  if (dim === 0) {
    throw new RangeError("Unflatten: dim must not be the batch axis 0, as a batch is not one image; use dim 1");
  }
  if (!Array.isArray(unflattenedSize) || unflattenedSize.length === 0) {
    throw new TypeError(`Unflatten: unflattenedSize must be a list of sizes, got ${String(unflattenedSize)}`);
  }
  const sizes = unflattenedSize.map((size) => (size === -1 ? -1 : integerOption("Unflatten: a size", size, 1)));
  if (sizes.filter((size) => size === -1).length > 1) {
    throw new RangeError(`Unflatten: only one size may be -1, got ${sizes.join(", ")}`);
  }
  const known = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);

  function outputShape(inputShape: Shape): Shape {
    const axis = (dim < 0 ? dim + inputShape.length + 1 : dim) - 1;
    const length = inputShape[axis];
    const rest = length === undefined ? 0 : length / known;
    const fits = sizes.includes(-1) ? Number.isInteger(rest) && rest > 0 : rest === 1;
    if (!fits) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `Unflatten(dim ${dim}, ${sizes.join("x")}) cannot split that axis of the shape ${formatShape(inputShape)}, counted after the batch axis 0`,
      );
    }
    const split = sizes.map((size) => (size === -1 ? rest : size));
    return [...inputShape.slice(0, axis), ...split, ...inputShape.slice(axis + 1)];
  }

  return makeLayer({
    kind: "Unflatten",
    options: { dim, unflattenedSize: sizes },
    outputShape,
    products: sizeOf,
    forward: (x) => x.slice(),
    algebra: (inputShape, shape) => ({ kind: "affine", map: identityAffine(inputShape, shape) }),
  });
}

/** {@link unflattenLayer} on encrypted tensors: `const layer = unflatten(he, options); const y = layer(x);`. */
export function unflatten(he: Evaluator, options: UnflattenOptions): CallableLayer {
  return callable(he, unflattenLayer(options));
}
