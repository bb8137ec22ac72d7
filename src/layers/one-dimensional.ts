/** Layers on `[channels, length]` as the layers on images of height 1 that they are. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Layer, type Shape } from "../plan/index.ts";
import { integerOption } from "./arguments.ts";
import { makeLayer } from "./layer.ts";

/** A number for the one axis, or the list of one number that PyTorch makes of it. */
export type Single = number | readonly [length: number];

/** An integer that is at least `minimum`, from a number or a list of one. */
export function singleOption(name: string, value: unknown, minimum: number): number {
  return integerOption(name, Array.isArray(value) && value.length === 1 ? value[0] : value, minimum);
}

/** @param image the layer on `[channels, 1, length]`; what it throws for a shape is thrown under the name of `kind`. */
export function oneDimensional(kind: string, options: Readonly<Record<string, unknown>>, image: Layer): Layer {
  const asImage = ([channels, length]: Shape): Shape => [channels!, 1, length!];

  function outputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 2) {
      throw new CrcnnError(
        "SHAPE_MISMATCH",
        `${kind} takes channels x length, got the shape ${formatShape(inputShape)}`,
      );
    }
    try {
      const [channels, , length] = image.outputShape(asImage(inputShape));
      return [channels!, length!];
    } catch (error) {
      if (!(error instanceof CrcnnError)) throw error;
      throw new CrcnnError(error.code, `${kind} is run as one on images of height 1: ${error.message}`, {
        cause: error,
      });
    }
  }

  return makeLayer({
    kind,
    options,
    outputShape,
    // The layer on images has limited its own.
    products: () => 0,
    forward: (data, inputShape) => image.forward({ shape: asImage(inputShape), data }).data,
    algebra(inputShape, shape) {
      const algebra = image.algebra(asImage(inputShape));
      return algebra.kind === "affine"
        ? { kind: "affine", map: { ...algebra.map, inputShape, outputShape: shape } }
        : algebra;
    },
  });
}
