import { CrcnnError } from "../errors/index.ts";
import { type Evaluator, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";
import { averageWindows, type Span, type Windows, windowsMap } from "./windows.ts";

/** One size for both spatial axes, or one each: height first, then width. Null keeps the input's size. */
export type AdaptiveSize = number | null | readonly [height: number | null, width: number | null];

/**
 * torch.nn.AdaptiveAvgPool2d on `[channels, height, width]`: means over windows from floor(i h / H) to ceil((i + 1) h / H) for each of H outputs
 * from h inputs; where H does not divide h, neighbouring windows overlap.
 *
 * @throws TypeError or RangeError for a size that is no integer from 1, or not one or two.
 */
export function adaptiveAvgPool2dLayer(outputSize: AdaptiveSize): Layer {
  const sizes = Array.isArray(outputSize) ? outputSize : [outputSize, outputSize];
  if (sizes.length !== 2) {
    throw new RangeError(
      `AdaptiveAvgPool2d: outputSize must be one size or two, [height, width], got ${sizes.length} of them`,
    );
  }
  const [outHeight, outWidth] = sizes.map((size) =>
    size === null ? null : integerOption("AdaptiveAvgPool2d: outputSize", size, 1),
  ) as [number | null, number | null];

  function outputShape(inputShape: Shape): Shape {
    const [channels, height, width] = inputShape;
    if (inputShape.length !== 3) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `AdaptiveAvgPool2d takes an image of channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    return [channels!, outHeight ?? height!, outWidth ?? width!];
  }

  const windows = (inputShape: Shape, shape: Shape): Windows<Span> => ({
    rows: spans(inputShape[1]!, shape[1]!),
    columns: spans(inputShape[2]!, shape[2]!),
    divisor: (vertical, horizontal) => (vertical.end - vertical.first) * (horizontal.end - horizontal.first),
  });

  return makeLayer({
    kind: "AdaptiveAvgPool2d",
    options: { outputSize: [outHeight, outWidth] },
    outputShape,
    // A window of an axis has at most h / H + 2 elements.
    products: (inputShape, shape) =>
      sizeOf(shape) * (inputShape[1]! / shape[1]! + 2) * (inputShape[2]! / shape[2]! + 2),
    forward: (x, inputShape, shape) => averageWindows(x, inputShape, shape, windows(inputShape, shape)),
    algebra: (inputShape, shape) => ({
      kind: "affine",
      map: windowsMap(inputShape, shape, windows(inputShape, shape)),
    }),
  });
}

/** The windows along one axis, by output index. */
function spans(inputs: number, outputs: number): readonly Span[] {
  return Array.from({ length: outputs }, (_, output) => ({
    first: Math.floor((output * inputs) / outputs),
    end: Math.ceil(((output + 1) * inputs) / outputs),
  }));
}

/** {@link adaptiveAvgPool2dLayer} on encrypted tensors: `const layer = adaptiveAvgPool2d(he, outputSize); const y = layer(x);`. */
export function adaptiveAvgPool2d(he: Evaluator, outputSize: AdaptiveSize): CallableLayer {
  return callable(he, adaptiveAvgPool2dLayer(outputSize));
}
