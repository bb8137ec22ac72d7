import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { booleanOption, type Pair, pairOption } from "./arguments.ts";
import { exactOnly } from "./exact-only.ts";
import { pooledLength } from "./windows.ts";

export interface MaxPool2dOptions {
  /** At least 1. */
  readonly kernelSize: Pair;
  /** At least 1; the kernel's size where omitted or null. */
  readonly stride?: Pair | null | undefined;
  /** Elements on both sides of each axis that no window takes its maximum from, at most half the kernel; 0 where omitted. */
  readonly padding?: Pair | undefined;
  /** Distance between the elements of a window, at least 1; 1 where omitted. */
  readonly dilation?: Pair | undefined;
  /** Round the output size up, so that the last window may leave the padded input; false where omitted. */
  readonly ceilMode?: boolean | undefined;
}

/**
 * torch.nn.MaxPool2d on `[channels, height, width]`, without indices.
 *
 * @throws TypeError or RangeError for an option of the wrong type or range.
 */
export function maxPool2dLayer(options: MaxPool2dOptions): Layer {
  const kernelSize = pairOption("MaxPool2d: kernelSize", options.kernelSize, 1);
  const stride = pairOption("MaxPool2d: stride", options.stride ?? kernelSize, 1);
  const padding = pairOption("MaxPool2d: padding", options.padding ?? 0, 0);
  const dilation = pairOption("MaxPool2d: dilation", options.dilation ?? 1, 1);
  if (padding.some((length, axis) => length > kernelSize[axis]! / 2)) {
    throw new RangeError(
      `MaxPool2d: padding must be at most half the kernel ${formatShape(kernelSize)}, got ${formatShape(padding)}`,
    );
  }
  const ceilMode = booleanOption("MaxPool2d: ceilMode", options.ceilMode ?? false);

  function outputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 3) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `MaxPool2d takes an image of channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    const [channels, ...image] = inputShape as readonly [number, number, number];
    const pooled = image.map((length, axis) => {
      const extent = dilation[axis]! * (kernelSize[axis]! - 1) + 1;
      return pooledLength(length, { extent, stride: stride[axis]!, padding: padding[axis]!, ceilMode });
    });
    if (pooled.some((length, axis) => length < 1 || hasEmptyWindow(image[axis]!, length, axis))) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `MaxPool2d: the kernel ${formatShape(kernelSize)} with dilation ${formatShape(dilation)} is larger than the input ` +
          `${formatShape(inputShape)} with padding ${formatShape(padding)}, or a window holds padding alone; use a larger input or a smaller kernel`,
      );
    }
    return [channels, ...pooled];
  }

  /** Only elements further apart than the image is long can step over it. */
  function hasEmptyWindow(length: number, pooled: number, axis: number): boolean {
    if (length >= dilation[axis]!) return false;
    return Array.from({ length: pooled }, (_, at) => tapsOf(length, at, axis)).some((taps) => taps.length === 0);
  }

  /** The elements along one axis that a window holds. */
  function tapsOf(length: number, output: number, axis: number): readonly number[] {
    const start = output * stride[axis]! - padding[axis]!;
    const [step, count] = [dilation[axis]!, kernelSize[axis]!];
    const first = start < 0 ? Math.ceil(-start / step) : 0;
    const end = Math.min(count, Math.ceil((length - start) / step));
    return Array.from({ length: Math.max(0, end - first) }, (_, k) => start + (first + k) * step);
  }

  return exactOnly("window", {
    kind: "MaxPool2d",
    options: { kernelSize, stride, padding, dilation, ceilMode },
    outputShape,
    products: (inputShape, shape) =>
      sizeOf(shape) * Math.min(kernelSize[0], inputShape[1]!) * Math.min(kernelSize[1], inputShape[2]!),
    forward(x, inputShape, shape) {
      const [channels, height, width] = inputShape as readonly [number, number, number];
      const rows = Array.from({ length: shape[1]! }, (_, output) => tapsOf(height, output, 0));
      const columns = Array.from({ length: shape[2]! }, (_, output) => tapsOf(width, output, 1));
      const y = new Float64Array(sizeOf(shape));
      let to = 0;
      for (let channel = 0; channel < channels; channel++) {
        const plane = channel * height * width;
        for (const vertical of rows) {
          for (const horizontal of columns) {
            let most = Number.NEGATIVE_INFINITY;
            // Math.max keeps NaN, as PyTorch does.
            for (const iy of vertical) for (const ix of horizontal) most = Math.max(most, x[plane + iy * width + ix]!);
            y[to++] = most;
          }
        }
      }
      return y;
    },
  });
}
