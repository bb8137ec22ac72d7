import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AvgPool2dOptions, avgPool2dLayer, type Pair } from "../../src/layers/index.ts";
import { type Tensor, tensor } from "../../src/plan/index.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds, variants } from "./support.ts";

const two = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const cases = fc
  .record({
    seed: seeds,
    channels: fc.integer({ min: 1, max: 3 }),
    image: two(1, 9),
    kernelSize: two(1, 5),
    stride: fc.option(two(1, 6)),
    half: fc.tuple(fc.boolean(), fc.boolean()),
    ceilMode: fc.boolean(),
    countIncludePad: fc.boolean(),
    divisorOverride: fc.option(fc.integer({ min: 1, max: 5 })),
  })
  .map(({ half, ...rest }) => ({
    ...rest,
    padding: rest.kernelSize.map((kernel, axis) => (half[axis] ? Math.floor(kernel / 2) : 0)) as [number, number],
  }))
  .filter(({ image, kernelSize, padding }) =>
    [0, 1].every((axis) => kernelSize[axis] <= image[axis] + 2 * padding[axis]),
  );

/** One axis by enumeration: every window that may start, as the list of its taps; a tap is an index or "zero" for padding. */
function windows(
  length: number,
  kernel: number,
  stride: number,
  padding: number,
  ceilMode: boolean,
): (number | "zero")[][] {
  const result: (number | "zero")[][] = [];
  for (let start = -padding; start < length; start += stride) {
    const taps = Array.from({ length: kernel }, (_, tap) => start + tap);
    const inside = taps.filter((at) => at < length + padding);
    const complete = inside.length === kernel;
    if (complete || ceilMode) result.push(inside.map((at) => (at >= 0 && at < length ? at : "zero")));
    // Rounding up adds one window at most: the one that covers the end of the padded input.
    if (start + kernel >= length + padding) break;
  }
  return result;
}

function enumeratedPool(options: AvgPool2dOptions, input: Tensor): number[][][] {
  const [channels, height, width] = input.shape;
  const [kernel, stride, padding] = [
    options.kernelSize,
    options.stride ?? options.kernelSize,
    options.padding ?? 0,
  ].map((value) => (typeof value === "number" ? [value, value] : value));
  const axis = (length: number, at: 0 | 1) =>
    windows(length, kernel[at], stride[at], padding[at], options.ceilMode ?? false);
  return Array.from({ length: channels }, (_, channel) =>
    axis(height, 0).map((rows) =>
      axis(width, 1).map((columns) => {
        const taps = rows.flatMap((y) => columns.map((x) => [y, x] as const));
        const real = taps.filter((tap): tap is readonly [number, number] => !tap.includes("zero"));
        const sum = real.reduce((total, [y, x]) => total + input.data[(channel * height + y) * width + x], 0);
        return sum / (options.divisorOverride ?? (options.countIncludePad === false ? real : taps).length);
      }),
    ),
  );
}

describe("AvgPool2d", () => {
  test("is the mean of the enumerated taps, for every option", () => {
    fc.assert(
      fc.property(cases, ({ seed, channels, image, ...options }) => {
        const input = randomTensor(seed, [channels, ...image]);
        const output = avgPool2dLayer(options).forward(input);
        const expected = enumeratedPool(options, input);
        expect(output.shape).toEqual([channels, expected[0].length, expected[0][0].length]);
        expect(relativeError(output.data, Float64Array.from(expected.flat(2)))).toBeLessThan(1e-13);
      }),
      { numRuns: 300 },
    );
  });

  test("its algebra is its forward pass, for every option", () => {
    fc.assert(
      fc.property(cases, ({ seed, channels, image, ...options }) => {
        expectAlgebraIsForward(avgPool2dLayer(options), randomTensor(seed, [channels, ...image]));
      }),
      { numRuns: 300 },
    );
  });

  const recorded = variants.filter(({ layers }) => layers[0]?.type === "AvgPool2d" && layers.length === 1);
  test.each(recorded)("is PyTorch's: $name", ({ name, layers: [layer], input_shape, output_shape }) => {
    const pool = avgPool2dLayer({
      kernelSize: layer.kernel_size as Pair,
      stride: layer.stride as Pair,
      padding: layer.padding as Pair,
      ceilMode: layer.ceil_mode as boolean,
      countIncludePad: layer.count_include_pad as boolean,
      divisorOverride: layer.divisor_override as number | null,
    });
    expect(pool.outputShape(input_shape!)).toEqual(output_shape);
    const outputs = unbatch(readNpy(`variants/${name}.output.npy`));
    const errors = unbatch(readNpy(`variants/${name}.input.npy`)).map((input, image) => {
      expect(input.shape).toEqual(input_shape);
      expectAlgebraIsForward(pool, input);
      return relativeError(pool.forward(input).data, outputs[image].data);
    });
    expect(errors).toHaveLength(2);
    expect(Math.max(...errors)).toBeLessThan(1e-12);
  });
  test("those are all recorded ones", () => expect(recorded).toHaveLength(8));

  test.each([
    // length, kernel, stride, padding, floor, ceil: PyTorch's pooling_output_shape by hand.
    [9, 2, 2, 0, 4, 5],
    [4, 2, 3, 0, 1, 2],
    [3, 1, 3, 0, 1, 1], // rounds up to 2, but the second window would start outside
    [5, 2, 2, 1, 3, 3], // rounds up to 4, but the fourth window would start in the padding
    [5, 3, 4, 1, 2, 2],
    [2, 3, 2, 0, 0, 1], // a kernel larger than the input: only rounding up leaves a window
  ])(
    "%i values, kernel %i, stride %i, padding %i: %i outputs, or %i in ceilMode",
    (length, kernelSize, stride, padding, floor, ceil) => {
      const outputs = (ceilMode: boolean) =>
        avgPool2dLayer({
          kernelSize: [kernelSize, 1],
          stride: [stride, 1],
          padding: [padding, 0],
          ceilMode,
        }).outputShape([1, length, 1]);
      expect(outputs(true)).toEqual([1, ceil, 1]);
      if (floor > 0) expect(outputs(false)).toEqual([1, floor, 1]);
      else expect(() => outputs(false)).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
    },
  );

  test("a window that ceilMode lets stand out is divided by its part inside the padded input", () => {
    const pool = avgPool2dLayer({ kernelSize: [1, 2], ceilMode: true });
    expect([...pool.forward(tensor([1, 1, 3], [1, 3, 5])).data]).toEqual([2, 5]);
  });

  test("reports its options, the stride being the kernel where none is given", () => {
    expect(avgPool2dLayer({ kernelSize: [3, 2], stride: null }).options).toEqual({
      kernelSize: [3, 2],
      stride: [3, 2],
      padding: [0, 0],
      ceilMode: false,
      countIncludePad: true,
      divisorOverride: null,
    });
  });
});

describe("AvgPool2d refuses", () => {
  const having = (options: object) => () => avgPool2dLayer({ kernelSize: 3, ...options });

  test.each([
    ["an empty kernel", having({ kernelSize: 0 }), RangeError, /kernelSize must be an integer from 1 .*got 0/],
    ["no kernel", having({ kernelSize: undefined }), TypeError, /kernelSize must be an integer, got undefined/],
    ["stride 0", having({ stride: [0, 1] }), RangeError, /stride.*got 0/],
    ["padding over half the kernel", having({ padding: [0, 2] }), RangeError, /at most half the kernel 3x3, got 0x2/],
    ["divisor 0", having({ divisorOverride: 0 }), RangeError, /divisorOverride.*got 0/],
    ["a number as flag", having({ ceilMode: 1 }), TypeError, /ceilMode must be true or false, got 1/],
    ["a string as flag", having({ countIncludePad: "no" }), TypeError, /countIncludePad.*got "no"/],
  ])("%s", (_, make, kind, message) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });

  test("inputs that are no image, or smaller than the kernel", () => {
    const pool = avgPool2dLayer({ kernelSize: [3, 2], padding: [1, 0] });
    expect(pool.outputShape([1, 1, 2])).toEqual([1, 1, 1]);
    for (const shape of [
      [4, 4],
      [1, 4, 4, 4],
      [1, 4, 1],
    ]) {
      expect(() => pool.outputShape(shape)).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
    }
    expect(() => pool.outputShape([1, 4, 1])).toThrow(/kernel 3x2 is larger than the input 1x4x1 with padding 1x0/);
  });

  test("no kernel that merely covers the image, however large: it costs no more than the image", () => {
    const pool = avgPool2dLayer({ kernelSize: 2 ** 31 - 1, ceilMode: true });
    expect([...pool.forward(tensor([1, 2, 2], [1, 2, 3, 6])).data]).toEqual([3]);
  });
});
