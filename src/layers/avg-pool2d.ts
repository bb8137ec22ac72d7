import { CrcnnError } from "../errors/index.ts";
import { type Evaluator, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { booleanOption, integerOption, type Pair, pairOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";
import { averageWindows, pooledLength, type Span, type Windows, windowsMap } from "./windows.ts";

export interface AvgPool2dOptions {
  /** At least 1. */
  readonly kernelSize: Pair;
  /** At least 1; the kernel's size where omitted or null. */
  readonly stride?: Pair | null | undefined;
  /** Zeros on both sides of each axis, at most half the kernel; 0 where omitted. */
  readonly padding?: Pair | undefined;
  /** Round the output size up, so that the last window may leave the padded input; false where omitted. */
  readonly ceilMode?: boolean | undefined;
  /** Padding counts in the divisor; true where omitted. */
  readonly countIncludePad?: boolean | undefined;
  /** Divides every sum by this instead of the window's size; none where omitted or null. */
  readonly divisorOverride?: number | null | undefined;
}

interface PaddedSpan extends Span {
  /** Length with padding, but without what ceilMode lets stand out beyond it. */
  readonly padded: number;
}

/**
 * torch.nn.AvgPool2d on `[channels, height, width]`.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range.
 */
export function avgPool2dLayer(options: AvgPool2dOptions): Layer {
  const kernelSize = pairOption("AvgPool2d: kernelSize", options.kernelSize, 1);
  const stride = pairOption("AvgPool2d: stride", options.stride ?? kernelSize, 1);
  const padding = pairOption("AvgPool2d: padding", options.padding ?? 0, 0);
  if (padding.some((zeros, axis) => zeros > kernelSize[axis]! / 2)) {
    throw new RangeError(
      `AvgPool2d: padding must be at most half the kernel ${formatShape(kernelSize)}, got ${formatShape(padding)}`,
    );
  }
  const ceilMode = booleanOption("AvgPool2d: ceilMode", options.ceilMode ?? false);
  const countIncludePad = booleanOption("AvgPool2d: countIncludePad", options.countIncludePad ?? true);
  const divisorOverride = options.divisorOverride ?? null;
  if (divisorOverride !== null) integerOption("AvgPool2d: divisorOverride", divisorOverride, 1);

  function outputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 3) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `AvgPool2d takes an image of channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    const [channels, ...image] = inputShape as readonly [number, number, number];
    const pooled = image.map((length, axis) =>
      pooledLength(length, { extent: kernelSize[axis]!, stride: stride[axis]!, padding: padding[axis]!, ceilMode }),
    );
    if (pooled.some((length) => length < 1)) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `AvgPool2d: the kernel ${formatShape(kernelSize)} is larger than the input ${formatShape(inputShape)} with padding ` +
          `${formatShape(padding)}; use a larger input or a smaller kernel`,
      );
    }
    return [channels, ...pooled];
  }

  /** The windows along one axis, by output index; none is empty, as padding is at most half a kernel. */
  function spans(inputShape: Shape, shape: Shape, axis: number): readonly PaddedSpan[] {
    const length = inputShape[axis + 1]!;
    return Array.from({ length: shape[axis + 1]! }, (_, output) => {
      const start = output * stride[axis]! - padding[axis]!;
      const end = Math.min(start + kernelSize[axis]!, length + padding[axis]!);
      return { first: Math.max(start, 0), end: Math.min(end, length), padded: end - start };
    });
  }

  function divisor(vertical: PaddedSpan, horizontal: PaddedSpan): number {
    if (divisorOverride !== null) return divisorOverride;
    if (countIncludePad) return vertical.padded * horizontal.padded;
    return (vertical.end - vertical.first) * (horizontal.end - horizontal.first);
  }

  const windows = (inputShape: Shape, shape: Shape): Windows<PaddedSpan> => ({
    rows: spans(inputShape, shape, 0),
    columns: spans(inputShape, shape, 1),
    divisor,
  });

  return makeLayer({
    kind: "AvgPool2d",
    options: { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride },
    outputShape,
    products: (inputShape, shape) =>
      sizeOf(shape) * Math.min(kernelSize[0], inputShape[1]!) * Math.min(kernelSize[1], inputShape[2]!),
    forward: (x, inputShape, shape) => averageWindows(x, inputShape, shape, windows(inputShape, shape)),
    algebra: (inputShape, shape) => ({
      kind: "affine",
      map: windowsMap(inputShape, shape, windows(inputShape, shape)),
    }),
  });
}

/** {@link avgPool2dLayer} on encrypted tensors: `const layer = avgPool2d(he, options); const y = layer(x);`. */
export function avgPool2d(he: Evaluator, options: AvgPool2dOptions): CallableLayer {
  return callable(he, avgPool2dLayer(options));
}
