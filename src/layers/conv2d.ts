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
import { biasOption, integerOption, type Pair, pairOption, type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface Conv2dOptions {
  /** `[outChannels, inChannels / groups, kernelHeight, kernelWidth]`, as in PyTorch. */
  readonly weight: TensorLike;
  /** `[outChannels]`; none where omitted or null. */
  readonly bias?: TensorLike | null | undefined;
  /** At least 1; 1 where omitted. */
  readonly stride?: Pair | undefined;
  /**
   * Zeros on both sides of each axis, 0 where omitted; "valid" is none; "same" keeps height and width (stride 1 only) and
   * puts the odd one of an even kernel at the bottom and right.
   */
  readonly padding?: Pair | "same" | "valid" | undefined;
  /** Distance of the kernel's taps, at least 1; 1 where omitted. */
  readonly dilation?: Pair | undefined;
  /** Groups of channels that do not see each other, 1 where omitted; divides both channel counts. */
  readonly groups?: number | undefined;
}

/** How the kernel moves along one spatial axis. */
interface Axis {
  readonly name: "height" | "width";
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

/**
 * torch.nn.Conv2d with zero padding: cross-correlation of `[inChannels, height, width]`.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range, CrcnnError SHAPE_MISMATCH for weights and biases
 * that do not fit each other.
 */
export function conv2dLayer(options: Conv2dOptions): Layer {
  const weight = tensorOption("Conv2d: weight", options.weight, [
    "outChannels",
    "inChannels / groups",
    "kernelHeight",
    "kernelWidth",
  ]);
  const [outChannels, groupInputs, kernelHeight, kernelWidth] = weight.shape as readonly [
    number,
    number,
    number,
    number,
  ];
  const kernelSize = Object.freeze([kernelHeight, kernelWidth] as const);
  const bias = biasOption("Conv2d: bias", options.bias, outChannels);
  const stride = pairOption("Conv2d: stride", options.stride ?? 1, 1);
  const dilation = pairOption("Conv2d: dilation", options.dilation ?? 1, 1);
  const groups = integerOption("Conv2d: groups", options.groups ?? 1, 1);
  if (outChannels % groups !== 0) {
    throw new RangeError(`Conv2d: groups must divide the ${outChannels} output channels of the weight, got ${groups}`);
  }
  const inChannels = groupInputs * groups;
  const groupOutputs = outChannels / groups;
  const padding = paddingOption(options.padding ?? 0, stride);
  const vertical = axisOf("height", kernelHeight, stride[0], dilation[0], paddingOf(padding, 0));
  const horizontal = axisOf("width", kernelWidth, stride[1], dilation[1], paddingOf(padding, 1));

  function outputShape(inputShape: Shape): Shape {
    const [channels, height, width] = inputShape;
    if (inputShape.length !== 3 || channels !== inChannels) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `Conv2d takes an image of ${inChannels} channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    return [outChannels, outputLength(vertical, height!), outputLength(horizontal, width!)];
  }

  /** One tap of the kernel after the other, added to all outputs that it reaches. */
  function forward(x: Float64Array, inputShape: Shape, shape: Shape): Float64Array {
    const [, inHeight, inWidth] = inputShape as readonly [number, number, number];
    const [, outHeight, outWidth] = shape as readonly [number, number, number];
    const y = new Float64Array(sizeOf(shape));
    let tap = 0;
    for (let o = 0; o < outChannels; o++) {
      const outPlane = o * outHeight * outWidth;
      y.fill(bias[o]!, outPlane, outPlane + outHeight * outWidth);
      const firstInput = Math.floor(o / groupOutputs) * groupInputs;
      for (let channel = firstInput; channel < firstInput + groupInputs; channel++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          const [top, bottom] = reach(vertical, ky, inHeight, outHeight);
          for (let kx = 0; kx < kernelWidth; kx++) {
            const [left, right] = reach(horizontal, kx, inWidth, outWidth);
            const w = weight.data[tap++]!;
            for (let oy = top; oy < bottom; oy++) {
              const inRow = (channel * inHeight + inputIndex(vertical, oy, ky)) * inWidth;
              const outRow = outPlane + oy * outWidth;
              for (let ox = left; ox < right; ox++) y[outRow + ox]! += w * x[inRow + inputIndex(horizontal, ox, kx)]!;
            }
          }
        }
      }
    }
    return y;
  }

  /** One output after the other: the taps that fall inside the input are its row. */
  function algebra(inputShape: Shape, shape: Shape): AffineMap {
    const [, inHeight, inWidth] = inputShape as readonly [number, number, number];
    const [, outHeight, outWidth] = shape as readonly [number, number, number];
    const plane = outHeight * outWidth;
    return affineMap(
      inputShape,
      shape,
      (row, add) => {
        const o = Math.floor(row / plane);
        const oy = Math.floor(row / outWidth) % outHeight;
        const ox = row % outWidth;
        const firstInput = Math.floor(o / groupOutputs) * groupInputs;
        for (let i = 0; i < groupInputs; i++) {
          for (let ky = 0; ky < kernelHeight; ky++) {
            const iy = inputIndex(vertical, oy, ky);
            if (iy < 0 || iy >= inHeight) continue;
            for (let kx = 0; kx < kernelWidth; kx++) {
              const ix = inputIndex(horizontal, ox, kx);
              if (ix < 0 || ix >= inWidth) continue;
              const column = ((firstInput + i) * inHeight + iy) * inWidth + ix;
              add(column, weight.data[((o * groupInputs + i) * kernelHeight + ky) * kernelWidth + kx]!);
            }
          }
        }
      },
      Float64Array.from({ length: outChannels * plane }, (_, row) => bias[Math.floor(row / plane)]!),
    );
  }

  return makeLayer({
    kind: "Conv2d",
    options: { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias: Boolean(options.bias) },
    outputShape,
    products: (_inputShape, shape) => sizeOf(shape) * groupInputs * kernelHeight * kernelWidth,
    forward,
    algebra: (inputShape, shape) => ({ kind: "affine", map: algebra(inputShape, shape) }),
  });
}

type Padding = readonly [number, number] | "same" | "valid";

function paddingOption(value: unknown, stride: readonly [number, number]): Padding {
  if (value === "valid") return value;
  if (value === "same") {
    if (stride[0] !== 1 || stride[1] !== 1) {
      throw new RangeError(
        `Conv2d: padding "same" needs stride 1, got ${formatShape(stride)}; give the padding in numbers`,
      );
    }
    return value;
  }
  if (typeof value === "string") {
    throw new RangeError(`Conv2d: padding must be numbers, "same" or "valid", got "${value}"`);
  }
  return pairOption("Conv2d: padding", value, 0);
}

function paddingOf(padding: Padding, axis: 0 | 1): number | "same" {
  if (padding === "same") return padding;
  return padding === "valid" ? 0 : padding[axis];
}

function axisOf(name: Axis["name"], kernel: number, stride: number, dilation: number, padding: number | "same"): Axis {
  if (padding !== "same") return { name, kernel, stride, dilation, before: padding, after: padding };
  const total = dilation * (kernel - 1);
  const before = Math.floor(total / 2);
  return { name, kernel, stride, dilation, before, after: total - before };
}

function outputLength(axis: Axis, length: number): number {
  const span = axis.dilation * (axis.kernel - 1) + 1;
  const padded = length + axis.before + axis.after;
  if (span > padded) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `Conv2d: the kernel spans ${span} in ${axis.name} (${axis.kernel} taps, dilation ${axis.dilation}), the padded input only ` +
        `${padded}; use a larger input, more padding or a smaller kernel`,
    );
  }
  return Math.floor((padded - span) / axis.stride) + 1;
}

/** Where a tap of the kernel reads for an output; outside the input it reads a zero of the padding. */
function inputIndex(axis: Axis, output: number, tap: number): number {
  return output * axis.stride - axis.before + tap * axis.dilation;
}

/** The half-open range of outputs for which a tap falls inside the input. */
function reach(axis: Axis, tap: number, inLength: number, outLength: number): readonly [first: number, end: number] {
  const offset = inputIndex(axis, 0, tap);
  return [
    Math.max(0, Math.ceil(-offset / axis.stride)),
    Math.min(outLength, Math.floor((inLength - 1 - offset) / axis.stride) + 1),
  ];
}

/** {@link conv2dLayer} on encrypted tensors: `const layer = conv2d(he, options); const y = layer(x);`. */
export function conv2d(he: Evaluator, options: Conv2dOptions): CallableLayer {
  return callable(he, conv2dLayer(options));
}
