import { CrcnnError } from "../errors/index.ts";
import {
  type AffineMap,
  affineMap,
  type Evaluator,
  type FillRow,
  formatShape,
  type Layer,
  type Shape,
  sizeOf,
} from "../plan/index.ts";
import { biasOption, integerOption, type Pair, pairOption, type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface ConvTranspose2dOptions {
  /** `[inChannels, outChannels / groups, kernelHeight, kernelWidth]`, as in PyTorch. */
  readonly weight: TensorLike;
  /** `[outChannels]`; none where omitted or null. */
  readonly bias?: TensorLike | null | undefined;
  /** Distance of the outputs that neighbouring inputs are spread to, at least 1; 1 where omitted. */
  readonly stride?: Pair | undefined;
  /** Rows and columns that are cut off on both sides of each axis; 0 where omitted. */
  readonly padding?: Pair | undefined;
  /** Rows and columns more at the bottom and right, fewer than stride or dilation; 0 where omitted. */
  readonly outputPadding?: Pair | undefined;
  /** Distance of the kernel's taps, at least 1; 1 where omitted. */
  readonly dilation?: Pair | undefined;
  /** Groups of channels that do not see each other, 1 where omitted; divides both channel counts. */
  readonly groups?: number | undefined;
}

/** What one output of an axis reads: an input through a tap of the kernel. */
interface Tap {
  readonly input: number;
  readonly kernel: number;
}

/**
 * torch.nn.ConvTranspose2d on `[inChannels, height, width]`: the transpose of the convolution with the same options, by which
 * every input spreads over a window of outputs.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range, CrcnnError SHAPE_MISMATCH for weights and biases
 * that do not fit each other.
 */
export function convTranspose2dLayer(options: ConvTranspose2dOptions): Layer {
  const weight = tensorOption("ConvTranspose2d: weight", options.weight, [
    "inChannels",
    "outChannels / groups",
    "kernelHeight",
    "kernelWidth",
  ]);
  const [inChannels, groupOutputs, kernelHeight, kernelWidth] = weight.shape as readonly [
    number,
    number,
    number,
    number,
  ];
  const kernelSize = [kernelHeight, kernelWidth] as const;
  const stride = pairOption("ConvTranspose2d: stride", options.stride ?? 1, 1);
  const padding = pairOption("ConvTranspose2d: padding", options.padding ?? 0, 0);
  const outputPadding = pairOption("ConvTranspose2d: outputPadding", options.outputPadding ?? 0, 0);
  const dilation = pairOption("ConvTranspose2d: dilation", options.dilation ?? 1, 1);
  if (outputPadding.some((rows, axis) => rows >= Math.max(stride[axis]!, dilation[axis]!))) {
    throw new RangeError(
      `ConvTranspose2d: outputPadding must be smaller than stride or dilation, got ${formatShape(outputPadding)}`,
    );
  }
  const groups = integerOption("ConvTranspose2d: groups", options.groups ?? 1, 1);
  if (inChannels % groups !== 0) {
    throw new RangeError(
      `ConvTranspose2d: groups must divide the ${inChannels} input channels of the weight, got ${groups}`,
    );
  }
  const groupInputs = inChannels / groups;
  const outChannels = groupOutputs * groups;
  const bias = biasOption("ConvTranspose2d: bias", options.bias, outChannels);

  function outputShape(inputShape: Shape): Shape {
    const [channels, ...image] = inputShape;
    if (inputShape.length !== 3 || channels !== inChannels) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `ConvTranspose2d takes an image of ${inChannels} channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    const spread = image.map((length, axis) => {
      const span = dilation[axis]! * (kernelSize[axis]! - 1) + 1;
      return (length - 1) * stride[axis]! + span - 2 * padding[axis]! + outputPadding[axis]!;
    });
    if (spread.every((length) => length > 0)) return [outChannels, ...spread];
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `ConvTranspose2d: the padding ${formatShape(padding)} cuts off all outputs of the input ${formatShape(inputShape)}; ` +
        "use less padding or a larger input",
    );
  }

  /** By output index along an axis. */
  function tapsOf(axis: 0 | 1, inputShape: Shape, shape: Shape): readonly (readonly Tap[])[] {
    const taps = Array.from({ length: shape[axis + 1]! }, (): Tap[] => []);
    for (let input = 0; input < inputShape[axis + 1]!; input++) {
      for (let kernel = 0; kernel < kernelSize[axis]; kernel++) {
        taps[input * stride[axis] + kernel * dilation[axis] - padding[axis]]?.push({ input, kernel });
      }
    }
    return taps;
  }

  /** By output: visits the products that it is the sum of. */
  function productsOf(inputShape: Shape, shape: Shape): FillRow {
    const [, inHeight, inWidth] = inputShape as readonly [number, number, number];
    const [, height, width] = shape as readonly [number, number, number];
    const [vertical, horizontal] = [tapsOf(0, inputShape, shape), tapsOf(1, inputShape, shape)];
    return (row, visit) => {
      const channel = Math.floor(row / (height * width));
      const down = vertical[Math.floor(row / width) % height]!;
      const right = horizontal[row % width]!;
      const firstInput = Math.floor(channel / groupOutputs) * groupInputs;
      for (let i = firstInput; i < firstInput + groupInputs; i++) {
        const filter = (i * groupOutputs + (channel % groupOutputs)) * kernelHeight * kernelWidth;
        for (const { input: y, kernel: ky } of down) {
          for (const { input: x, kernel: kx } of right) {
            visit((i * inHeight + y) * inWidth + x, weight.data[filter + ky * kernelWidth + kx]!);
          }
        }
      }
    };
  }

  const biasOf = (shape: Shape): Float64Array => {
    const plane = sizeOf(shape) / outChannels;
    return Float64Array.from({ length: sizeOf(shape) }, (_, row) => bias[Math.floor(row / plane)]!);
  };

  function forward(x: Float64Array, inputShape: Shape, shape: Shape): Float64Array {
    const visitProducts = productsOf(inputShape, shape);
    return biasOf(shape).map((start, row) => {
      let sum = start;
      visitProducts(row, (column, factor) => {
        sum += factor * x[column]!;
      });
      return sum;
    });
  }

  function algebra(inputShape: Shape, shape: Shape): AffineMap {
    return affineMap(inputShape, shape, productsOf(inputShape, shape), biasOf(shape));
  }

  return makeLayer({
    kind: "ConvTranspose2d",
    options: {
      ...{ inChannels, outChannels, kernelSize, stride, padding, outputPadding, dilation, groups },
      bias: Boolean(options.bias),
    },
    outputShape,
    products: (inputShape, shape) =>
      Math.max(sizeOf(shape), sizeOf(inputShape) * groupOutputs * kernelHeight * kernelWidth),
    forward,
    algebra: (inputShape, shape) => ({ kind: "affine", map: algebra(inputShape, shape) }),
  });
}

/** {@link convTranspose2dLayer} on encrypted tensors: `const layer = convTranspose2d(he, options); const y = layer(x);`. */
export function convTranspose2d(he: Evaluator, options: ConvTranspose2dOptions): CallableLayer {
  return callable(he, convTranspose2dLayer(options));
}
