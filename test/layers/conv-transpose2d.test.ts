import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conv2dLayer, convTranspose2dLayer } from "../../src/layers/index.ts";
import { applyAffine, type Tensor } from "../../src/plan/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

const two = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const cases = fc
  .record({
    seed: seeds,
    groups: fc.integer({ min: 1, max: 3 }),
    groupInputs: fc.integer({ min: 1, max: 2 }),
    groupOutputs: fc.integer({ min: 1, max: 2 }),
    image: two(1, 6),
    kernel: two(1, 4),
    stride: two(1, 3),
    dilation: two(1, 3),
    padding: two(0, 3),
    outputPadding: two(0, 2),
    hasBias: fc.boolean(),
  })
  .filter(({ stride, dilation, outputPadding }) =>
    outputPadding.every((rows, axis) => rows < Math.max(stride[axis], dilation[axis])),
  )
  .map((c) => ({
    ...c,
    height: [0, 1].map(
      (axis) =>
        (c.image[axis] - 1) * c.stride[axis] -
        2 * c.padding[axis] +
        c.dilation[axis] * (c.kernel[axis] - 1) +
        1 +
        c.outputPadding[axis],
    ),
  }))
  .filter(({ height }) => height.every((length) => length > 0));

const dot = (left: Float64Array, right: Float64Array): number =>
  left.reduce((sum, value, i) => sum + value * right[i], 0);

describe("ConvTranspose2d", () => {
  test("is the transpose of Conv2d with the same weights and options", () => {
    fc.assert(
      fc.property(cases, (c) => {
        const { seed, groups, stride, padding, dilation, outputPadding } = c;
        const weight = randomTensor(seed, [c.groups * c.groupInputs, c.groupOutputs, ...c.kernel]);
        const bias = c.hasBias ? randomTensor(seed + 1, [groups * c.groupOutputs]) : null;
        const layer = convTranspose2dLayer({ weight, bias, stride, padding, outputPadding, dilation, groups });
        const x = randomTensor(seed + 2, [groups * c.groupInputs, ...c.image]);
        const y = layer.forward(x);
        expect(y.shape).toEqual([groups * c.groupOutputs, ...c.height]);
        expectAlgebraIsForward(layer, x);

        // <transpose(x), z> = <x, conv(z)> for every z.
        const conv = conv2dLayer({ weight, stride, padding, dilation, groups });
        const z = randomTensor(seed + 3, y.shape);
        const plane = y.data.length / y.shape[0];
        const linear = y.data.map((value, i) => value - (bias?.data[Math.floor(i / plane)] ?? 0));
        const back = conv.forward(z);
        // An output padding above the stride makes room for inputs that are not there.
        const [, rows, columns] = back.shape;
        const shown = back.data.filter((_, i) => {
          const [row, column] = [Math.floor(i / columns) % rows, i % columns];
          return row < c.image[0] && column < c.image[1];
        });
        expect(shown).toHaveLength(x.data.length);
        const scale = Math.sqrt(dot(x.data, x.data) * dot(shown, shown)) + 1;
        expect(Math.abs(dot(linear, z.data) - dot(x.data, shown)) / scale).toBeLessThan(1e-12);
      }),
    );
  });

  test("spreads one pixel into its kernel", () => {
    const weight: Tensor = { shape: [1, 1, 2, 2], data: Float64Array.of(1, 2, 3, 4) };
    const layer = convTranspose2dLayer({ weight, stride: 3, outputPadding: 1 });
    const { shape, data } = layer.forward({ shape: [1, 1, 2], data: Float64Array.of(1, 10) });
    expect(shape).toEqual([1, 3, 6]);
    expect([...data]).toEqual([1, 2, 0, 10, 20, 0, 3, 4, 0, 30, 40, 0, 0, 0, 0, 0, 0, 0]);
    const algebra = layer.algebra([1, 1, 2]);
    if (algebra.kind !== "affine") throw new Error("not affine");
    expect(relativeError(applyAffine(algebra.map, Float64Array.of(1, 10)), data)).toBe(0);
  });

  const weight = randomTensor(1, [4, 2, 3, 3]);

  test.each([
    [
      "an output padding that is not below the stride",
      { outputPadding: 1 },
      RangeError,
      /outputPadding must be smaller/,
    ],
    ["groups that do not divide the inputs", { groups: 3 }, RangeError, /divide the 4 input channels/],
    ["a stride of zero", { stride: 0 }, RangeError, /stride/],
    ["a bias of another length", { bias: randomTensor(1, [4]) }, Error, /bias/],
    ["words", { padding: "same" as unknown as number }, TypeError, /ConvTranspose2d: padding/],
  ])("refuses %s", (_, options, type, message) => {
    expect(() => convTranspose2dLayer({ weight, ...options })).toThrow(type);
    expect(() => convTranspose2dLayer({ weight, ...options })).toThrow(message);
  });

  test("refuses shapes that it does not take, and a padding that cuts off everything", () => {
    const mismatch = expect.objectContaining({ code: "SHAPE_MISMATCH" });
    expect(() => convTranspose2dLayer({ weight }).outputShape([3, 4, 4])).toThrow(mismatch);
    expect(() => convTranspose2dLayer({ weight }).outputShape([4, 4])).toThrow(mismatch);
    expect(() => convTranspose2dLayer({ weight, padding: 2 }).outputShape([4, 1, 5])).toThrow(mismatch);
  });
});
