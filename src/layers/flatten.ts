import { CrcnnError } from "../errors/index.ts";
import { type Evaluator, formatShape, identityAffine, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/**
 * Axes are counted as PyTorch counts them, with the batch as axis 0, so 1 is the first axis of a shape here. Negative ones
 * count from the end: -1 is the last.
 */
export interface FlattenOptions {
  /** First axis of the range; 1 where omitted. The batch axis, 0, is refused: each image is encrypted by itself. */
  readonly startDim?: number | undefined;
  /** Last axis of the range, inclusive; -1 where omitted. */
  readonly endDim?: number | undefined;
}

/**
 * torch.nn.Flatten: merges a range of axes into one, the values keep their order.
 *
 * @throws TypeError or RangeError for an option that is no integer, or a range that starts at the batch axis.
 */
export function flattenLayer(options: FlattenOptions = {}): Layer {
  const startDim = axisOption("startDim", options.startDim ?? 1);
  const endDim = axisOption("endDim", options.endDim ?? -1);
  if (startDim === 0 || endDim === 0) {
    throw new RangeError(
      "Flatten: startDim and endDim must not be the batch axis 0, as a batch is not one image; use startDim 1",
    );
  }

  function outputShape(inputShape: Shape): Shape {
    // Counted with the batch axis, then without it.
    const rank = inputShape.length + 1;
    const start = (startDim < 0 ? startDim + rank : startDim) - 1;
    const end = (endDim < 0 ? endDim + rank : endDim) - 1;
    if (start < 0 || start > end || end >= inputShape.length) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `Flatten(startDim ${startDim}, endDim ${endDim}) takes an input with these axes in order after the batch axis 0, ` +
          `got the shape ${formatShape(inputShape)}, whose axes are 1 … ${inputShape.length}`,
      );
    }
    return [...inputShape.slice(0, start), sizeOf(inputShape.slice(start, end + 1)), ...inputShape.slice(end + 1)];
  }

  return makeLayer({
    kind: "Flatten",
    options: { startDim, endDim },
    outputShape,
    products: sizeOf,
    forward: (x) => x.slice(),
    algebra: (inputShape, shape) => ({ kind: "affine", map: identityAffine(inputShape, shape) }),
  });
}

function axisOption(name: string, value: unknown): number {
  if (typeof value !== "number") throw new TypeError(`Flatten: ${name} must be an integer, got ${String(value)}`);
  if (!Number.isInteger(value)) throw new RangeError(`Flatten: ${name} must be an integer, got ${value}`);
  return value;
}

/** {@link flattenLayer} on encrypted tensors: `const layer = flatten(he, options); const y = layer(x);`. */
export function flatten(he: Evaluator, options: FlattenOptions = {}): CallableLayer {
  return callable(he, flattenLayer(options));
}
