import type { Evaluator, Layer } from "../plan/index.ts";
import { type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { conv2dLayer } from "./conv2d.ts";
import { oneDimensional, type Single, singleOption } from "./one-dimensional.ts";

export interface Conv1dOptions {
  /** `[outChannels, inChannels / groups, kernelLength]`, as in PyTorch. */
  readonly weight: TensorLike;
  /** `[outChannels]`; none where omitted or null. */
  readonly bias?: TensorLike | null | undefined;
  /** At least 1; 1 where omitted. */
  readonly stride?: Single | undefined;
  /** Zeros on both sides, 0 where omitted; "valid" is none, "same" keeps the length (stride 1 only). */
  readonly padding?: Single | "same" | "valid" | undefined;
  /** Distance of the kernel's taps, at least 1; 1 where omitted. */
  readonly dilation?: Single | undefined;
  /** Groups of channels that do not see each other, 1 where omitted. */
  readonly groups?: number | undefined;
}

/**
 * torch.nn.Conv1d with zero padding: cross-correlation of `[inChannels, length]`.
 *
 * @throws as {@link conv2dLayer}, which it is on images of height 1.
 */
export function conv1dLayer(options: Conv1dOptions): Layer {
  const axes = ["outChannels", "inChannels / groups", "kernelLength"];
  const { shape, data } = tensorOption("Conv1d: weight", options.weight, axes);
  const [outChannels, groupInputs, kernelSize] = shape as readonly [number, number, number];
  const stride = singleOption("Conv1d: stride", options.stride ?? 1, 1);
  const dilation = singleOption("Conv1d: dilation", options.dilation ?? 1, 1);
  const { padding = 0, groups = 1, bias } = options;
  const zeros = typeof padding === "string" ? padding : singleOption("Conv1d: padding", padding, 0);
  const image = conv2dLayer({
    weight: { shape: [outChannels, groupInputs, 1, kernelSize], data },
    bias,
    stride: [1, stride],
    padding: typeof zeros === "number" ? [0, zeros] : zeros,
    dilation: [1, dilation],
    groups,
  });
  const { inChannels } = image.options;
  const own = { inChannels, outChannels, kernelSize, stride, padding: zeros, dilation, groups, bias: Boolean(bias) };
  return oneDimensional("Conv1d", own, image);
}

/** {@link conv1dLayer} on encrypted tensors: `const layer = conv1d(he, options); const y = layer(x);`. */
export function conv1d(he: Evaluator, options: Conv1dOptions): CallableLayer {
  return callable(he, conv1dLayer(options));
}
