import { CrcnnError } from "../errors/index.ts";
import {
  type AffineMap,
  affineMap,
  type Evaluator,
  formatShape,
  type Layer,
  type Shape,
  sizeOf,
} from "../plan/index.ts";
import { biasOption, type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface LinearOptions {
  /** `[outFeatures, inFeatures]`, as in PyTorch. */
  readonly weight: TensorLike;
  /** `[outFeatures]`; none where omitted or null. */
  readonly bias?: TensorLike | null | undefined;
}

/**
 * torch.nn.Linear: y = W x + b along the last axis; other axes are carried along.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range, CrcnnError SHAPE_MISMATCH for weights and biases
 * that do not fit each other.
 */
export function linearLayer(options: LinearOptions): Layer {
  const weight = tensorOption("Linear: weight", options.weight, ["outFeatures", "inFeatures"]);
  const [outFeatures, inFeatures] = weight.shape as readonly [number, number];
  const bias = biasOption("Linear: bias", options.bias, outFeatures);

  function outputShape(inputShape: Shape): Shape {
    if (inputShape.at(-1) !== inFeatures) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `Linear takes ${inFeatures} features along the last axis, got the shape ${formatShape(inputShape)}; ` +
          "flatten first where all of it is meant",
      );
    }
    return [...inputShape.slice(0, -1), outFeatures];
  }

  function forward(x: Float64Array, _inputShape: Shape, shape: Shape): Float64Array {
    const y = new Float64Array(sizeOf(shape));
    for (let from = 0, to = 0; from < x.length; from += inFeatures) {
      for (let feature = 0; feature < outFeatures; feature++) {
        let sum = bias[feature]!;
        for (let i = 0; i < inFeatures; i++) sum += weight.data[feature * inFeatures + i]! * x[from + i]!;
        y[to++] = sum;
      }
    }
    return y;
  }

  function algebra(inputShape: Shape, shape: Shape): AffineMap {
    const vectors = sizeOf(shape) / outFeatures;
    return affineMap(
      inputShape,
      shape,
      (row, add) => {
        const feature = row % outFeatures;
        const first = ((row - feature) / outFeatures) * inFeatures;
        for (let i = 0; i < inFeatures; i++) add(first + i, weight.data[feature * inFeatures + i]!);
      },
      Float64Array.from({ length: vectors * outFeatures }, (_, row) => bias[row % outFeatures]!),
    );
  }

  return makeLayer({
    kind: "Linear",
    options: { inFeatures, outFeatures, bias: Boolean(options.bias) },
    outputShape,
    products: (inputShape) => sizeOf(inputShape) * outFeatures,
    forward,
    algebra: (inputShape, shape) => ({ kind: "affine", map: algebra(inputShape, shape) }),
  });
}

/** {@link linearLayer} on encrypted tensors: `const layer = linear(he, options); const y = layer(x);`. */
export function linear(he: Evaluator, options: LinearOptions): CallableLayer {
  return callable(he, linearLayer(options));
}
