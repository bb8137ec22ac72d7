import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { permuteLayer, reshapeLayer, scaleLayer } from "../../src/layers/index.ts";
import { type Shape, sizeOf, tensor } from "../../src/plan/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

const mismatch = expect.objectContaining({ code: "SHAPE_MISMATCH" });
const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** The index of an element along each axis. */
function indexOf(element: number, shape: Shape): number[] {
  return shape.map((size, axis) => Math.floor(element / sizeOf(shape.slice(axis + 1))) % size);
}

/** The number of the element with this index. */
function elementOf(index: readonly number[], shape: Shape): number {
  return index.reduce((sum, value, axis) => sum * shape[axis]! + value, 0);
}

describe("Reshape", () => {
  test("keeps the values in their order", () => {
    fc.assert(
      fc.property(seeds, shapes, (seed, shape) => {
        const input = randomTensor(seed, shape);
        const layer = reshapeLayer([1, sizeOf(shape), 1]);
        expect(layer.forward(input)).toEqual({ shape: [1, sizeOf(shape), 1], data: input.data });
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("refuses other numbers of values, and what are no sizes", () => {
    expect(() => reshapeLayer([2, 3]).outputShape([7])).toThrow(mismatch);
    for (const shape of [[0], [-1], [1.5]]) expect(() => reshapeLayer(shape)).toThrow(RangeError);
    expect(() => reshapeLayer(["2"] as unknown as number[])).toThrow(TypeError);
    expect(() => reshapeLayer(6 as unknown as number[])).toThrow(TypeError);
  });
});

describe("Permute", () => {
  const orders = fc.integer({ min: 1, max: 4 }).chain((rank) => {
    const axes = Array.from({ length: rank }, (_, axis) => axis + 1);
    return fc.shuffledSubarray(axes, { minLength: rank, maxLength: rank });
  });

  test("puts every element where its index says", () => {
    fc.assert(
      fc.property(
        seeds,
        orders,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 }),
        (seed, order, sizes) => {
          const shape = sizes.slice(0, order.length);
          const input = randomTensor(seed, shape);
          const layer = permuteLayer([0, ...order]);
          const output = layer.forward(input);
          expect(output.shape).toEqual(order.map((axis) => shape[axis - 1]));
          for (const [element, value] of input.data.entries()) {
            const index = indexOf(element, shape);
            const moved = order.map((axis) => index[axis - 1]!);
            expect(output.data[elementOf(moved, output.shape)]).toBe(value);
          }
          expectAlgebraIsForward(layer, input);
        },
      ),
    );
  });

  test("refuses what is no order of all axes behind the batch", () => {
    for (const dims of [[], [0], [1, 0], [0, 1, 1], [0, 2], [0, 1.5]])
      expect(() => permuteLayer(dims)).toThrow(RangeError);
    expect(() => permuteLayer("01" as unknown as number[])).toThrow(TypeError);
    expect(() => permuteLayer([0, 2, 1]).outputShape([3])).toThrow(mismatch);
  });
});

describe("Scale", () => {
  /** A shape that repeats to another: some axes are 1, the first ones may be missing. */
  const repeating = fc.tuple(shapes, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4));

  test("multiplies and adds constants that are repeated as in PyTorch", () => {
    fc.assert(
      fc.property(
        seeds,
        repeating,
        fc.constantFrom("factor", "shift", "both"),
        (seed, [shape, ones, missing], which) => {
          const own = shape.map((size, axis) => (ones[axis] ? 1 : size)).slice(Math.min(missing, shape.length));
          const [input, factor, shift] = [
            randomTensor(seed, shape),
            randomTensor(seed + 1, own),
            randomTensor(seed + 2, own),
          ];
          const layer = scaleLayer({
            ...(which === "shift" ? {} : { factor }),
            ...(which === "factor" ? {} : { shift }),
          });
          const wanted = input.data.map((value, element) => {
            const index = indexOf(element, shape).slice(shape.length - own.length);
            const at = elementOf(
              index.map((value, axis) => (own[axis] === 1 ? 0 : value)),
              own,
            );
            return value * (which === "shift" ? 1 : factor.data[at]!) + (which === "factor" ? 0 : shift.data[at]!);
          });
          expect(layer.forward(input).shape).toEqual(shape);
          expect(relativeError(layer.forward(input).data, wanted)).toBeLessThan(1e-15);
          expectAlgebraIsForward(layer, input);
        },
      ),
    );
  });

  test("refuses constants that would enlarge the input, or are none", () => {
    const layer = scaleLayer({ factor: tensor([3, 1], [1, 2, 3]) });
    for (const shape of [[2, 4], [3], [1, 4]]) expect(() => layer.outputShape(shape)).toThrow(mismatch);
    expect(layer.outputShape([3, 4])).toEqual([3, 4]);
    expect(() => scaleLayer({ shift: { shape: [1], data: [Number.NaN] } })).toThrow(RangeError);
    expect(() => scaleLayer({ factor: 2 as never })).toThrow(TypeError);
    expect(() => scaleLayer({ factor: { shape: [2], data: [1] } })).toThrow(RangeError);
  });
});
