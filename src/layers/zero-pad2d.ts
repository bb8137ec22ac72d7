import { CrcnnError } from "../errors/index.ts";
import { affineMap, type Evaluator, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/** One number for all sides, or one each, in PyTorch's order. */
export type SidePadding = number | readonly [left: number, right: number, top: number, bottom: number];

/** Keeps sums of sizes exact; a negative padding crops. */
const LEAST_PADDING = -(2 ** 31);

/**
 * torch.nn.ZeroPad2d on `[channels, height, width]`: zeros around the image, or a part of it where a padding is negative.
 *
 * @throws TypeError or RangeError for a padding that is no integer, or not one or four.
 */
export function zeroPad2dLayer(padding: SidePadding): Layer {
  const sides = Array.isArray(padding) ? padding : [padding, padding, padding, padding];
  if (sides.length !== 4) {
    throw new RangeError(
      `ZeroPad2d: padding must be one integer or four, [left, right, top, bottom], got ${sides.length}`,
    );
  }
  const [left, right, top, bottom] = sides.map((side) => integerOption("ZeroPad2d: padding", side, LEAST_PADDING)) as [
    number,
    number,
    number,
    number,
  ];

  function outputShape(inputShape: Shape): Shape {
    const [channels, height, width] = inputShape;
    if (inputShape.length !== 3) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `ZeroPad2d takes an image of channels x height x width, got the shape ${formatShape(inputShape)}`,
      );
    }
    const shape = [channels!, top + height! + bottom, left + width! + right];
    if (shape.every((size) => size > 0)) return shape;
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `ZeroPad2d with the padding ${[left, right, top, bottom].join(", ")} crops all of the input ${formatShape(inputShape)}`,
    );
  }

  /** By output element: the input element that it shows, or -1 for a zero. */
  function sources(inputShape: Shape, shape: Shape): Int32Array {
    const [, inHeight, inWidth] = inputShape as readonly [number, number, number];
    const [, height, width] = shape as readonly [number, number, number];
    return Int32Array.from({ length: sizeOf(shape) }, (_, element) => {
      const y = (Math.floor(element / width) % height) - top;
      const x = (element % width) - left;
      const channel = Math.floor(element / (height * width));
      return y >= 0 && y < inHeight && x >= 0 && x < inWidth ? (channel * inHeight + y) * inWidth + x : -1;
    });
  }

  return makeLayer({
    kind: "ZeroPad2d",
    options: { padding: [left, right, top, bottom] },
    outputShape,
    products: (_inputShape, shape) => sizeOf(shape),
    forward: (x, inputShape, shape) => Float64Array.from(sources(inputShape, shape), (source) => x[source] ?? 0),
    algebra(inputShape, shape) {
      const from = sources(inputShape, shape);
      const map = affineMap(inputShape, shape, (row, add) => {
        if (from[row]! >= 0) add(from[row]!, 1);
      });
      return { kind: "affine", map };
    },
  });
}

/** {@link zeroPad2dLayer} on encrypted tensors: `const layer = zeroPad2d(he, padding); const y = layer(x);`. */
export function zeroPad2d(he: Evaluator, padding: SidePadding): CallableLayer {
  return callable(he, zeroPad2dLayer(padding));
}
