import { describe, expect, test } from "vitest";
import { addLayer, concatLayer, squareLayer } from "../../src/layers/index.ts";
import { applyAffine, type Layer, type Shape, sizeOf, type Tensor, tensor } from "../../src/plan/index.ts";

function ramp(shape: Shape, first: number): Tensor {
  return tensor(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => first + i),
  );
}

/** The map on the elements of all inputs, one input after the other. */
function byAlgebra(layer: Layer, inputs: readonly Tensor[]): Float64Array {
  const algebra = layer.algebra(...inputs.map(({ shape }) => shape));
  if (algebra.kind !== "affine") throw new Error(`${layer.kind} must be affine`);
  return applyAffine(algebra.map, Float64Array.from(inputs.flatMap(({ data }) => [...data])));
}

const shapeError = expect.objectContaining({ code: "SHAPE_MISMATCH" });

describe("Add", () => {
  const add = addLayer();

  test.each([2, 3, 5])("sums %i tensors of one shape", (count) => {
    const inputs = Array.from({ length: count }, (_, i) => ramp([2, 3, 4], 100 * i));
    const output = add.forward(...inputs);
    expect(output.shape).toEqual([2, 3, 4]);
    const expected = Array.from({ length: 24 }, (_, at) => inputs.reduce((sum, { data }) => sum + data[at]!, 0));
    expect([...output.data]).toEqual(expected);
    expect(byAlgebra(add, inputs)).toEqual(output.data);
  });

  test("refuses a single tensor, and shapes that differ", () => {
    expect(() => add.forward(ramp([3], 0))).toThrow(shapeError);
    expect(() => add.outputShape([2, 4, 4], [2, 2, 2])).toThrow("2x4x4 and 2x2x2");
  });
});

describe("Concat", () => {
  test.each([
    [
      1,
      [
        [2, 3],
        [1, 3],
      ],
      [3, 3],
      [0, 1, 2, 3, 4, 5, 100, 101, 102],
    ],
    [
      2,
      [
        [2, 3],
        [2, 1],
      ],
      [2, 4],
      [0, 1, 2, 100, 3, 4, 5, 101],
    ],
    [
      -1,
      [
        [2, 1],
        [2, 2],
      ],
      [2, 3],
      [0, 100, 101, 1, 102, 103],
    ],
    [1, [[2], [1], [1]], [4], [0, 1, 100, 200]],
  ] as const)("along axis %i", (dim, shapes, shape, expected) => {
    const concat = concatLayer({ dim });
    const inputs = shapes.map((each, i) => ramp(each, 100 * i));
    const output = concat.forward(...inputs);
    expect(output.shape).toEqual(shape);
    expect([...output.data]).toEqual(expected);
    expect(byAlgebra(concat, inputs)).toEqual(output.data);
  });

  test("refuses the batch axis, fractions, and shapes that differ elsewhere", () => {
    expect(() => concatLayer({ dim: 0 })).toThrow(RangeError);
    expect(() => concatLayer({ dim: 1.5 })).toThrow(RangeError);
    expect(() => concatLayer({ dim: "1" as unknown as number })).toThrow(TypeError);
    expect(() => concatLayer().outputShape([2, 4, 4], [2, 4, 5])).toThrow(shapeError);
    expect(() => concatLayer({ dim: 4 }).outputShape([2, 4, 4], [2, 4, 4])).toThrow(shapeError);
    expect(() => concatLayer({ dim: -4 }).outputShape([2, 4, 4], [2, 4, 4])).toThrow(shapeError);
  });
});

test("a layer takes as many inputs as it says", () => {
  const x = ramp([2], 0);
  expect(() => squareLayer().forward(x, x)).toThrow("Square takes one input, got 2");
  expect(() => addLayer().forward()).toThrow("two or more inputs, got 0");
  expect(() => concatLayer().algebra([2])).toThrow("two or more inputs, got 1");
});
