import { CrcnnError } from "../errors/index.ts";
import { type Evaluator, formatShape, identityAffine, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/**
 * The values of an input in their order, as a tensor of another shape: torch.reshape, for what Flatten and Unflatten do not say.
 *
 * @param shape without the batch axis.
 * @throws TypeError or RangeError for a shape that holds anything but positive integers.
 */
export function reshapeLayer(shape: Shape): Layer {
  if (!Array.isArray(shape)) throw new TypeError(`Reshape: shape must be a list of sizes, got ${String(shape)}`);
  const target = Object.freeze(shape.map((size: unknown) => integerOption("Reshape: a size", size, 1)));
  return makeLayer({
    kind: "Reshape",
    options: { shape: target },
    outputShape(inputShape) {
      if (sizeOf(inputShape) === sizeOf(target)) return [...target];
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `Reshape to ${formatShape(target)} takes ${sizeOf(target)} values, got the shape ${formatShape(inputShape)}`,
      );
    },
    products: sizeOf,
    forward: (x) => x.slice(),
    algebra: (inputShape, outputShape) => ({ kind: "affine", map: identityAffine(inputShape, outputShape) }),
  });
}

/** {@link reshapeLayer} on encrypted tensors: `const layer = reshape(he, shape); const y = layer(x);`. */
export function reshape(he: Evaluator, shape: Shape): CallableLayer {
  return callable(he, reshapeLayer(shape));
}
