import { CrcnnError } from "../errors/index.ts";
import { affineMap, formatShape, type Layer, sameShape, sizeOf } from "../plan/index.ts";
import { makeJoin } from "./layer.ts";

/** The sum of two or more tensors of one shape, element by element: `x + y`, what closes a residual block. */
export function addLayer(): Layer {
  return makeJoin({
    kind: "Add",
    options: {},
    outputShape([first, ...others]) {
      for (const other of others) {
        if (sameShape(first, other)) continue;
        throw new CrcnnError(
          "SHAPE_MISMATCH",
          `Add takes inputs of one shape, got ${formatShape(first)} and ${formatShape(other)}; give the shortcut a convolution of its own`,
        );
      }
      return [...first];
    },
    forward: ([first, ...others]) =>
      others.reduce((sum, other) => sum.map((value, i) => value + other[i]!), first.slice()),
    algebra(inputShapes, shape) {
      const size = sizeOf(shape);
      const map = affineMap([inputShapes.length * size], shape, (row, add) => {
        for (let input = 0; input < inputShapes.length; input++) add(input * size + row, 1);
      });
      return { kind: "affine", map };
    },
  });
}
