import { CrcnnError } from "../errors/index.ts";
import { affineMap, type Evaluator, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/**
 * torch.permute: the axes of an input in another order.
 *
 * @param dims for each axis of the output the axis of the input that it is, counted as PyTorch counts, with the batch as axis 0, which must
 * stay the first: `[0, 2, 3, 1]` puts the channels of an image last.
 * @throws TypeError or RangeError where the list is not one of all axes, or moves the batch.
 */
export function permuteLayer(dims: readonly number[]): Layer {
  if (!Array.isArray(dims)) throw new TypeError(`Permute: dims must be a list of axes, got ${String(dims)}`);
  const order = Object.freeze(dims.map((axis: unknown) => integerOption("Permute: an axis", axis, 0)));
  if (order.length < 2 || order[0] !== 0 || order.some((_, axis) => !order.includes(axis))) {
    throw new RangeError(
      `Permute: dims must hold every axis once and begin with the batch axis 0, as [0, 2, 1], got [${order.join(", ")}]`,
    );
  }
  /** Without the batch axis. */
  const axes = order.slice(1).map((axis) => axis - 1);

  function outputShape(inputShape: Shape): Shape {
    if (inputShape.length === axes.length) return axes.map((axis) => inputShape[axis]!);
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `Permute(${order.join(", ")}) takes an input of ${axes.length} axes after the batch axis 0, got the shape ${formatShape(inputShape)}`,
    );
  }

  /** By output element: the input element that it shows. */
  function sources(inputShape: Shape, shape: Shape): Int32Array {
    const strides = inputShape.map((_, axis) => sizeOf(inputShape.slice(axis + 1)));
    return Int32Array.from({ length: sizeOf(shape) }, (_, element) => {
      let rest = element;
      let source = 0;
      for (let axis = axes.length - 1; axis >= 0; axis--) {
        source += (rest % shape[axis]!) * strides[axes[axis]!]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      return source;
    });
  }

  return makeLayer({
    kind: "Permute",
    options: { dims: order },
    outputShape,
    products: sizeOf,
    forward: (x, inputShape, shape) => Float64Array.from(sources(inputShape, shape), (source) => x[source]!),
    algebra(inputShape, shape) {
      const from = sources(inputShape, shape);
      return { kind: "affine", map: affineMap(inputShape, shape, (row, add) => add(from[row]!, 1)) };
    },
  });
}

/** {@link permuteLayer} on encrypted tensors: `const layer = permute(he, dims); const y = layer(x);`. */
export function permute(he: Evaluator, dims: readonly number[]): CallableLayer {
  return callable(he, permuteLayer(dims));
}
