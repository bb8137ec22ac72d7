import type { Evaluator, Layer } from "../plan/index.ts";
import { avgPool2dLayer } from "./avg-pool2d.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { oneDimensional, type Single, singleOption } from "./one-dimensional.ts";

export interface AvgPool1dOptions {
  /** At least 1. */
  readonly kernelSize: Single;
  /** At least 1; the kernel's size where omitted or null. */
  readonly stride?: Single | null | undefined;
  /** Zeros on both sides, at most half the kernel; 0 where omitted. */
  readonly padding?: Single | undefined;
  /** Round the output size up, so that the last window may leave the padded input; false where omitted. */
  readonly ceilMode?: boolean | undefined;
  /** Padding counts in the divisor; true where omitted. */
  readonly countIncludePad?: boolean | undefined;
}

/**
 * torch.nn.AvgPool1d on `[channels, length]`.
 *
 * @throws as {@link avgPool2dLayer}, which it is on images of height 1.
 */
export function avgPool1dLayer(options: AvgPool1dOptions): Layer {
  const { ceilMode = false, countIncludePad = true } = options;
  const kernelSize = singleOption("AvgPool1d: kernelSize", options.kernelSize, 1);
  const stride = singleOption("AvgPool1d: stride", options.stride ?? kernelSize, 1);
  const padding = singleOption("AvgPool1d: padding", options.padding ?? 0, 0);
  const image = avgPool2dLayer({
    kernelSize: [1, kernelSize],
    stride: [1, stride],
    padding: [0, padding],
    ceilMode,
    countIncludePad,
  });
  return oneDimensional("AvgPool1d", { kernelSize, stride, padding, ceilMode, countIncludePad }, image);
}

/** {@link avgPool1dLayer} on encrypted tensors: `const layer = avgPool1d(he, options); const y = layer(x);`. */
export function avgPool1d(he: Evaluator, options: AvgPool1dOptions): CallableLayer {
  return callable(he, avgPool1dLayer(options));
}
