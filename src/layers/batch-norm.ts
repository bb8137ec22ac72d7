import { CrcnnError } from "../errors/index.ts";
import { affineMap, type Evaluator, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface BatchNormOptions {
  /** Mean of each channel in training, `[channels]`. */
  readonly runningMean: TensorLike;
  /** Variance of each channel in training, `[channels]`. */
  readonly runningVar: TensorLike;
  /** Factor of each channel, `[channels]`; ones where omitted or null. */
  readonly weight?: TensorLike | null | undefined;
  /** What is added to each channel, `[channels]`; zeros where omitted or null. */
  readonly bias?: TensorLike | null | undefined;
  /** Added to the variance; 1e-5 where omitted. */
  readonly eps?: number | undefined;
}

type Kind = "BatchNorm1d" | "BatchNorm2d";

const AXES: Readonly<Record<Kind, { ranks: readonly number[]; takes: string }>> = {
  BatchNorm1d: { ranks: [1, 2], takes: "channels, or channels x length" },
  BatchNorm2d: { ranks: [3], takes: "channels x height x width" },
};

/**
 * torch.nn.BatchNorm2d in evaluation mode, on `[channels, height, width]`: y = (x - mean) / sqrt(variance + eps) * weight + bias, a factor
 * and a shift for each channel. Ioffe and Szegedy, "Batch Normalization", ICML 2015.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range, also where variance + eps is not positive; CrcnnError SHAPE_MISMATCH
 * for statistics and weights of different lengths.
 */
export function batchNorm2dLayer(options: BatchNormOptions): Layer {
  return batchNormLayer("BatchNorm2d", options);
}

/** torch.nn.BatchNorm1d in evaluation mode, on `[channels]` or `[channels, length]`; otherwise as {@link batchNorm2dLayer}. */
export function batchNorm1dLayer(options: BatchNormOptions): Layer {
  return batchNormLayer("BatchNorm1d", options);
}

function batchNormLayer(kind: Kind, options: BatchNormOptions): Layer {
  const mean = tensorOption(`${kind}: runningMean`, options.runningMean, ["channels"]).data;
  const channels = mean.length;
  const perChannel = (name: "runningVar" | "weight" | "bias", value: TensorLike): Float64Array => {
    const { data } = tensorOption(`${kind}: ${name}`, value, ["channels"]);
    if (data.length === channels) return data;
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `${kind}: ${name} must hold ${channels} values, one a channel of runningMean, got ${data.length}`,
    );
  };
  const variance = perChannel("runningVar", options.runningVar);
  const weight = options.weight ? perChannel("weight", options.weight) : new Float64Array(channels).fill(1);
  const bias = options.bias ? perChannel("bias", options.bias) : new Float64Array(channels);
  const eps = options.eps ?? 1e-5;
  if (typeof eps !== "number") throw new TypeError(`${kind}: eps must be a number, got ${String(eps)}`);
  const bad = variance.findIndex((value) => !(value + eps > 0 && value + eps < Number.POSITIVE_INFINITY));
  if (bad >= 0) {
    throw new RangeError(
      `${kind}: runningVar + eps must be positive and finite, got ${variance[bad]} + ${eps} in channel ${bad}`,
    );
  }
  const factor = weight.map((value, channel) => value / Math.sqrt(variance[channel]! + eps));
  const { ranks, takes } = AXES[kind];

  function outputShape(inputShape: Shape): Shape {
    if (ranks.includes(inputShape.length) && inputShape[0] === channels) return [...inputShape];
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `${kind} takes ${takes} with ${channels} channels, got the shape ${formatShape(inputShape)}`,
    );
  }

  const channelOf = (shape: Shape): ((element: number) => number) => {
    const plane = sizeOf(shape) / channels;
    return (element) => Math.floor(element / plane);
  };

  return makeLayer({
    kind,
    options: { numFeatures: channels, eps, affine: Boolean(options.weight) },
    outputShape,
    products: sizeOf,
    forward(x, shape) {
      const channel = channelOf(shape);
      return x.map((value, i) => (value - mean[channel(i)]!) * factor[channel(i)]! + bias[channel(i)]!);
    },
    algebra(shape) {
      const channel = channelOf(shape);
      const shift = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
        const at = channel(i);
        return bias[at]! - mean[at]! * factor[at]!;
      });
      const map = affineMap(shape, shape, (row, add) => add(row, factor[channel(row)]!), shift);
      return { kind: "affine", map };
    },
  });
}

/** {@link batchNorm2dLayer} on encrypted tensors: `const layer = batchNorm2d(he, options); const y = layer(x);`. */
export function batchNorm2d(he: Evaluator, options: BatchNormOptions): CallableLayer {
  return callable(he, batchNorm2dLayer(options));
}

/** {@link batchNorm1dLayer} on encrypted tensors: `const layer = batchNorm1d(he, options); const y = layer(x);`. */
export function batchNorm1d(he: Evaluator, options: BatchNormOptions): CallableLayer {
  return callable(he, batchNorm1dLayer(options));
}
