import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Conv2dOptions, conv2dLayer, type Pair } from "../../src/layers/index.ts";
import { nonzeros, type Tensor, tensor } from "../../src/plan/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds, variants } from "./support.ts";

interface Case {
  seed: number;
  groups: number;
  groupInputs: number;
  groupOutputs: number;
  image: [number, number];
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  /** Zeros at the top, bottom, left and right. */
  zeros: [number, number, number, number];
  padding: Conv2dOptions["padding"];
  hasBias: boolean;
}

const two = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const cases: fc.Arbitrary<Case> = fc
  .record({
    seed: seeds,
    groups: fc.integer({ min: 1, max: 3 }),
    groupInputs: fc.integer({ min: 1, max: 2 }),
    groupOutputs: fc.integer({ min: 1, max: 2 }),
    image: two(1, 8),
    kernel: two(1, 4),
    stride: two(1, 3),
    dilation: two(1, 3),
    numbers: two(0, 4),
    mode: fc.constantFrom("numbers", "same", "valid"),
    hasBias: fc.boolean(),
  })
  .map(({ mode, numbers: [y, x], ...rest }): Case => {
    if (mode === "valid") return { ...rest, zeros: [0, 0, 0, 0], padding: "valid" };
    if (mode === "numbers") return { ...rest, zeros: [y, y, x, x], padding: [y, x] };
    // PyTorch pads by d * (k - 1) in all and puts the larger half at the end.
    const [high, wide] = [0, 1].map((axis) => rest.dilation[axis] * (rest.kernel[axis] - 1));
    const zeros: Case["zeros"] = [high >> 1, high - (high >> 1), wide >> 1, wide - (wide >> 1)];
    return { ...rest, stride: [1, 1], zeros, padding: "same" };
  })
  .filter(({ image, kernel, dilation, zeros: [top, bottom, left, right] }) => {
    const fits = (axis: 0 | 1, extra: number) => dilation[axis] * (kernel[axis] - 1) < image[axis] + extra;
    return fits(0, top + bottom) && fits(1, left + right);
  });

function optionsOf(c: Case): Conv2dOptions {
  const outChannels = c.groups * c.groupOutputs;
  const weight = randomTensor(c.seed + 1, [outChannels, c.groupInputs, ...c.kernel]);
  const bias = c.hasBias ? randomTensor(c.seed + 2, [outChannels]) : null;
  return { weight, bias, stride: c.stride, padding: c.padding, dilation: c.dilation, groups: c.groups };
}

type Planes = number[][][];

function planesOf({ shape: [channels, height, width], data }: Tensor): Planes {
  return Array.from({ length: channels }, (_, c) =>
    Array.from({ length: height }, (_, y) => [
      ...data.subarray((c * height + y) * width, (c * height + y + 1) * width),
    ]),
  );
}

/** The textbook: write the zeros out, spread the kernel out by its dilation, slide one over the other. */
function slidingConvolution(c: Case, { weight, bias }: Conv2dOptions, input: Tensor): Planes {
  const [top, bottom, left, right] = c.zeros;
  const width = left + input.shape[2] + right;
  const padded = planesOf(input).map((plane) => [
    ...Array.from({ length: top }, () => new Array<number>(width).fill(0)),
    ...plane.map((row) => [...new Array<number>(left).fill(0), ...row, ...new Array<number>(right).fill(0)]),
    ...Array.from({ length: bottom }, () => new Array<number>(width).fill(0)),
  ]);
  const kernels = Array.from({ length: weight.shape[0] }, (_, o) => {
    const size = (weight.data.length / weight.shape[0]) | 0;
    const data = Float64Array.from(weight.data).subarray(o * size, (o + 1) * size);
    return planesOf({ shape: weight.shape.slice(1), data }).map((plane) => spread(plane, c.dilation));
  });
  return kernels.map((kernel, o) => {
    const group = Math.floor(o / c.groupOutputs);
    const seen = padded.slice(group * c.groupInputs, (group + 1) * c.groupInputs);
    const rows: number[][] = [];
    for (let y = 0; y + kernel[0].length <= seen[0].length; y += c.stride[0]) {
      const row: number[] = [];
      for (let x = 0; x + kernel[0][0].length <= seen[0][0].length; x += c.stride[1]) {
        const products = kernel.flatMap((plane, channel) =>
          plane.flatMap((taps, ky) => taps.map((tap, kx) => tap * seen[channel][y + ky][x + kx])),
        );
        row.push(products.reduce((sum, product) => sum + product, bias?.data[o] ?? 0));
      }
      rows.push(row);
    }
    return rows;
  });
}

function spread(plane: number[][], [vertical, horizontal]: [number, number]): number[][] {
  const height = vertical * (plane.length - 1) + 1;
  const width = horizontal * (plane[0].length - 1) + 1;
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) =>
      y % vertical === 0 && x % horizontal === 0 ? plane[y / vertical][x / horizontal] : 0,
    ),
  );
}

describe("Conv2d", () => {
  test("is a kernel that slides over the padded image, for every option", () => {
    fc.assert(
      fc.property(cases, (c) => {
        const options = optionsOf(c);
        const input = randomTensor(c.seed, [c.groups * c.groupInputs, ...c.image]);
        const output = conv2dLayer(options).forward(input);
        const expected = slidingConvolution(c, options, input);
        expect(output.shape).toEqual([expected.length, expected[0].length, expected[0][0].length]);
        expect(relativeError(output.data, Float64Array.from(expected.flat(2)))).toBeLessThan(1e-13);
      }),
      { numRuns: 300 },
    );
  });

  test("its algebra is its forward pass, for every option", () => {
    fc.assert(
      fc.property(cases, (c) => {
        expectAlgebraIsForward(conv2dLayer(optionsOf(c)), randomTensor(c.seed, [c.groups * c.groupInputs, ...c.image]));
      }),
      { numRuns: 300 },
    );
  });

  const recorded = variants.filter(({ layers }) => layers[0]?.type === "Conv2d" && layers.length === 1);
  test.each(recorded)("has PyTorch's output shape: $name", ({ layers: [layer], input_shape, output_shape }) => {
    const groups = layer.groups as number;
    const [out, inputs, kernel] = [layer.out_channels, layer.in_channels, layer.kernel_size] as [
      number,
      number,
      number[],
    ];
    const shape = [out, inputs / groups, ...kernel];
    const conv = conv2dLayer({
      weight: tensor(shape, new Float64Array(shape.reduce((a, b) => a * b))),
      stride: layer.stride as Pair,
      padding: layer.padding as Pair | "same" | "valid",
      dilation: layer.dilation as Pair,
      groups,
    });
    expect(conv.outputShape(input_shape!)).toEqual(output_shape);
  });
  test("that list is not empty", () => expect(recorded.length).toBeGreaterThanOrEqual(20));

  test('"same" with an even kernel reads one more at the end, as PyTorch does', () => {
    // Weights 1, 10 along the width: out[x] = in[x] + 10 in[x + 1].
    const conv = conv2dLayer({ weight: tensor([1, 1, 1, 2], [1, 10]), padding: "same" });
    expect([...conv.forward(tensor([1, 1, 3], [1, 2, 3])).data]).toEqual([21, 32, 3]);
  });

  test("takes weights in single precision and keeps its own copy", () => {
    const weight = { shape: [1, 1, 1, 1], data: Float32Array.of(3) };
    const conv = conv2dLayer({ weight, bias: { shape: [1], data: [0.5] } });
    weight.data[0] = 7;
    expect([...conv.forward(tensor([1, 1, 2], [1, -2])).data]).toEqual([3.5, -5.5]);
  });

  test("reports its options without the weights, frozen", () => {
    const conv = conv2dLayer({ weight: randomTensor(1, [4, 1, 3, 2]), stride: 2, padding: [1, 0], groups: 2 });
    expect(conv.kind).toBe("Conv2d");
    expect(conv.options).toEqual({
      inChannels: 2,
      outChannels: 4,
      kernelSize: [3, 2],
      stride: [2, 2],
      padding: [1, 0],
      dilation: [1, 1],
      groups: 2,
      bias: false,
    });
    expect(Object.isFrozen(conv) && Object.values(conv.options).every(Object.isFrozen)).toBe(true);
  });

  test("taps that only ever read padding leave no entries", () => {
    const conv = conv2dLayer({
      weight: randomTensor(1, [1, 1, 3, 3]),
      padding: 2,
      stride: 4,
      bias: randomTensor(2, [1]),
    });
    const input = randomTensor(3, [1, 2, 2]);
    const algebra = conv.algebra(input.shape);
    // One output, whose kernel meets the image in one corner.
    expect(algebra.kind === "affine" && nonzeros(algebra.map)).toBe(1);
    expectAlgebraIsForward(conv, input);
  });
});

describe("Conv2d refuses", () => {
  const weight = randomTensor(1, [4, 2, 3, 3]);
  const having = (options: object) => () => conv2dLayer({ weight, ...options });

  test.each([
    ["stride 0", having({ stride: 0 }), /Conv2d: stride must be an integer from 1 .*got 0/],
    ["a negative stride", having({ stride: [1, -1] }), /stride.*got -1/],
    ["a fractional stride", having({ stride: 1.5 }), /stride.*got 1.5/],
    ["a stride that is no number", having({ stride: Number.NaN }), /stride.*got NaN/],
    ["three strides", having({ stride: [1, 2, 3] }), /stride.*\[height, width\].*got \[1,2,3\]/],
    ["negative padding", having({ padding: -1 }), /padding.*from 0.*got -1/],
    ["an unknown padding", having({ padding: "full" }), /"same" or "valid", got "full"/],
    ['"same" with a stride', having({ padding: "same", stride: [1, 2] }), /"same" needs stride 1, got 1x2/],
    ["dilation 0", having({ dilation: [0, 1] }), /dilation.*got 0/],
    ["an enormous dilation", having({ dilation: 2 ** 31 }), /dilation.*2147483647/],
    ["groups 0", having({ groups: 0 }), /groups.*got 0/],
    ["groups that do not divide", having({ groups: 3 }), /groups must divide the 4 output channels.*got 3/],
    [
      "a weight that is not finite",
      having({ weight: tensor([1, 1, 1, 2], [0, Number.NaN]) }),
      /weight.*NaN at index 1/,
    ],
    [
      "values that don't fit the shape",
      having({ weight: { shape: [1, 1, 1, 2], data: [1] } }),
      /needs 2 values, got 1/,
    ],
    ["an axis of nothing", having({ weight: { shape: [1, 1, 0, 2], data: [] } }), /weight's kernelHeight.*got 0/],
  ])("%s with a RangeError", (_, make, message) => {
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });

  test.each([
    ["no weight", having({ weight: undefined }), /weight must be a tensor \{ shape, data \}, got undefined/],
    ["a weight without a shape", having({ weight: [[1]] }), /weight must be a tensor/],
    ["a stride in letters", having({ stride: "2" }), /stride must be an integer, got "2"/],
    ["an object as dilation", having({ dilation: {} }), /dilation must be an integer, got an object/],
  ])("%s with a TypeError", (_, make, message) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  const conv = conv2dLayer({ weight, dilation: [2, 1] });
  test.each([
    ["a weight with other axes", having({ weight: randomTensor(1, [4, 2]) }), /outChannels x .*, got 4x2/],
    ["a bias of another length", having({ bias: randomTensor(1, [3]) }), /bias must hold 4 values.*got 3/],
    ["a bias with two axes", having({ bias: randomTensor(1, [4, 1]) }), /bias must have the axes output, got 4x1/],
    ["other channels", () => conv.outputShape([3, 9, 9]), /2 channels x height x width, got the shape 3x9x9/],
    ["a flat input", () => conv.algebra([162]), /got the shape 162/],
    ["an image lower than the kernel", () => conv.forward(randomTensor(1, [2, 4, 9])), /spans 5 in height.*only 4/],
    ["an image narrower than the kernel", () => conv.outputShape([2, 5, 2]), /spans 3 in width.*only 2/],
  ])("%s with SHAPE_MISMATCH", (_, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
  });

  test.each([
    ["padding", conv2dLayer({ weight, padding: 2 ** 31 - 1 }), [2, 9, 9]],
    ["an image", conv2dLayer({ weight }), [2, 2 ** 20, 2 ** 20]],
    ["an image behind a large stride", conv2dLayer({ weight, stride: 2 ** 20 }), [2, 2 ** 20, 2 ** 20]],
  ])("%s of hostile size before it allocates", (_, layer, shape) => {
    expect(() => layer.outputShape(shape)).toThrow(expect.objectContaining({ code: "UNSUPPORTED_LAYER" }));
    expect(() => layer.algebra(shape)).toThrow(/more than 67108864; use smaller images/);
  });

  test("data that is not what its shape says", () => {
    expect(() => conv.outputShape([2, 9.5, 9])).toThrow(/positive integers, got 2x9.5x9/);
    expect(() => conv.forward({ shape: [2, 9, 9], data: new Float64Array(7) })).toThrow(/needs 162 values, got 7/);
    const single = new Float32Array(162) as unknown as Float64Array;
    expect(() => conv.forward({ shape: [2, 9, 9], data: single })).toThrow(/must be a Float64Array/);
  });
});
