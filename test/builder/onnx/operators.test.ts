import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomValues } from "../../layers/support.ts";
import { expectAgreement, load } from "./support.ts";
import {
  type AttributeSpec,
  constant,
  integers,
  type ModelSpec,
  type NodeSpec,
  node,
  type TensorSpec,
} from "./writer.ts";

const seeds = fc.nat(2 ** 31);
const size = fc.integer({ min: 1, max: 4 });
const batches: fc.Arbitrary<number | string> = fc.constantFrom("N", 1, 2);
const opsets = fc.integer({ min: 7, max: 21 });
const pad = fc.integer({ min: 0, max: 2 });
const autoPad = fc.constantFrom("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER");

function random(seed: number, dims: readonly number[]): TensorSpec {
  return constant(dims, [
    ...randomValues(
      seed,
      dims.reduce((product, length) => product * length, 1),
    ),
  ]);
}

const ints = (...values: number[]): AttributeSpec => ({ ints: values });

/** One operator between input and output. */
function single(
  op: string,
  input: ModelSpec["input"],
  constants: Readonly<Record<string, TensorSpec>> = {},
  attributes: Readonly<Record<string, AttributeSpec>> = {},
  opset = 13,
): ModelSpec {
  return { opset, input, constants, nodes: [node(op, ["x", ...Object.keys(constants)], "y", attributes)] };
}

interface WindowCase {
  readonly rank: 1 | 2;
  readonly seed: number;
  readonly batch: number | string;
  readonly lengths: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly mode: string;
}

const windows: fc.Arbitrary<WindowCase> = fc.constantFrom(1 as const, 2 as const).chain((rank) => {
  const each = (value: fc.Arbitrary<number>, times = 1): fc.Arbitrary<number[]> =>
    fc.array(value, { minLength: rank * times, maxLength: rank * times });
  return fc.record({
    rank: fc.constant(rank),
    seed: seeds,
    batch: batches,
    lengths: each(fc.integer({ min: 3, max: 7 })),
    kernel: each(fc.integer({ min: 1, max: 3 })),
    strides: each(fc.integer({ min: 1, max: 3 })),
    dilations: each(fc.integer({ min: 1, max: 2 })),
    pads: each(pad, 2),
    mode: autoPad,
  });
});

/** Windows must fit into the padded input. */
const fits = ({ lengths, kernel, dilations, pads, mode, rank }: WindowCase): boolean =>
  lengths.every((length, i) => {
    const padding = mode === "NOTSET" ? pads[i]! + pads[rank + i]! : 0;
    return mode.startsWith("SAME") || (kernel[i]! - 1) * dilations[i]! + 1 <= length + padding;
  });

const windowAttributes = ({ strides, dilations, pads, mode, kernel }: WindowCase): Record<string, AttributeSpec> => ({
  strides: ints(...strides),
  dilations: ints(...dilations),
  kernel_shape: ints(...kernel),
  ...(mode === "NOTSET" ? { pads: ints(...pads) } : { auto_pad: { s: mode } }),
});

describe("convolutions", () => {
  test("Conv along one and two axes, with groups, strides, dilations and every padding", () => {
    fc.assert(
      fc.property(
        windows,
        fc.integer({ min: 1, max: 3 }),
        size,
        size,
        fc.boolean(),
        (window, group, ins, outs, bias) => {
          fc.pre(fits(window));
          const w = random(window.seed, [outs * group, ins, ...window.kernel]);
          const constants = bias ? { w, b: random(window.seed + 1, [outs * group]) } : { w };
          const attributes = { ...windowAttributes(window), group: { i: group } };
          const kinds = expectAgreement(
            single("Conv", [window.batch, ins * group, ...window.lengths], constants, attributes),
            window.seed,
          );
          expect(kinds.some((kind) => kind === "Conv2d" || kind === "Conv1d")).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("symmetric padding needs no layer of its own, nor does PyTorch's same", () => {
    const w = random(1, [2, 3, 4, 2]);
    expect(expectAgreement(single("Conv", [2, 3, 6, 5], { w }, { pads: ints(1, 2, 1, 2) }))).toEqual(["Conv2d"]);
    expect(expectAgreement(single("Conv", [2, 3, 6, 5], { w }, { auto_pad: { s: "SAME_UPPER" } }))).toEqual(["Conv2d"]);
    expect(expectAgreement(single("Conv", [2, 3, 6, 5], { w }, { pads: ints(1, 2, 0, 2) }))).toEqual([
      "ZeroPad2d",
      "Conv2d",
    ]);
  });

  test("ConvTranspose, cut off on every side and enlarged", () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 2 }), size, size, fc.nat(2), (window, group, ins, outs, extra) => {
        const { kernel, strides, dilations, pads, lengths, rank, mode } = window;
        const padding = strides.map((stride, i) => Math.min(extra, Math.max(stride, dilations[i]!) - 1));
        const left = lengths.map((length, i) => {
          const spread = (length - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 + padding[i]!;
          return spread - (mode === "NOTSET" ? pads[i]! + pads[rank + i]! : 0);
        });
        fc.pre(
          left.every((length, i) => length > 0 && (!mode.startsWith("SAME") || length >= lengths[i]! * strides[i]!)),
        );
        const constants = { w: random(window.seed, [ins * group, outs, ...kernel]), b: random(2, [outs * group]) };
        const attributes = { ...windowAttributes(window), group: { i: group }, output_padding: ints(...padding) };
        expectAgreement(
          single("ConvTranspose", [window.batch, ins * group, ...lengths], constants, attributes),
          window.seed,
        );
      }),
      { numRuns: 150 },
    );
  });

  test.each([[[9, 10]], [[8, 7]], [[9, 9]]])("ConvTranspose to the shape %j", (shape) => {
    const attributes = { strides: ints(2, 2), output_shape: ints(...shape) };
    for (const mode of ["NOTSET", "SAME_UPPER", "SAME_LOWER"]) {
      const model = single(
        "ConvTranspose",
        [2, 2, 4, 4],
        { w: random(3, [2, 3, 3, 4]) },
        { ...attributes, auto_pad: { s: mode } },
      );
      expectAgreement(model);
    }
  });
});

describe("averages", () => {
  test("AveragePool with every padding, rounding and divisor", () => {
    fc.assert(
      fc.property(windows, size, fc.boolean(), fc.boolean(), (given, channels, counted, ceil) => {
        const window = { ...given, dilations: given.dilations.map(() => 1) };
        const { kernel, pads, rank, mode } = window;
        fc.pre(fits(window));
        // What PyTorch does not have, and windows of nothing but padding.
        const even = kernel.every((taps, i) => pads[i] === pads[rank + i] && pads[i]! <= taps / 2);
        fc.pre(mode !== "NOTSET" || !ceil || even);
        fc.pre(mode === "NOTSET" || !ceil);
        fc.pre(mode !== "NOTSET" || counted || kernel.every((taps, i) => pads[i]! < taps && pads[rank + i]! < taps));
        const { dilations: _, ...attributes } = windowAttributes(window);
        expectAgreement(
          single(
            "AveragePool",
            [window.batch, channels, ...window.lengths],
            {},
            {
              ...attributes,
              count_include_pad: { i: Number(counted) },
              ceil_mode: { i: Number(ceil) },
            },
          ),
          window.seed,
        );
      }),
      { numRuns: 200 },
    );
  });

  test.each([[[3, 5, 4]], [[3, 5]]])("GlobalAveragePool of %j", (shape) => {
    expectAgreement(single("GlobalAveragePool", ["N", ...shape]));
  });

  test("ReduceMean over any axes but the batch, which are an attribute until version 17", () => {
    const cases = fc.record({
      shape: fc.array(size, { minLength: 2, maxLength: 4 }),
      picks: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      keep: fc.boolean(),
      late: fc.boolean(),
      negative: fc.boolean(),
      seed: seeds,
    });
    fc.assert(
      fc.property(cases, ({ shape, picks, keep, late, negative, seed }) => {
        const rank = shape.length + 1;
        const axes = shape.flatMap((_, axis) => (picks[axis] ? [negative ? axis + 1 - rank : axis + 1] : []));
        fc.pre(axes.length > 0);
        const attributes = { keepdims: { i: Number(keep) }, ...(late ? {} : { axes: ints(...axes) }) };
        const constants: Record<string, TensorSpec> = late ? { a: integers(...axes) } : {};
        expectAgreement(single("ReduceMean", ["N", ...shape], constants, attributes, late ? 18 : 13), seed);
      }),
    );
  });

  test("the mean over both spatial axes is PyTorch's adaptive pooling", () => {
    const model = single("ReduceMean", ["N", 3, 4, 5], {}, { axes: ints(2, 3), keepdims: { i: 0 } });
    expect(expectAgreement(model)).toEqual(["AdaptiveAvgPool2d", "Reshape"]);
  });
});

describe("matrices", () => {
  test("Gemm with every flag", () => {
    const cases = fc.record({
      features: size,
      outputs: size,
      transposed: fc.boolean(),
      alpha: fc.constantFrom(1, 0.5, -2, 0),
      beta: fc.constantFrom(1, 0.25, 0),
      shift: fc.constantFrom("none", "scalar", "row", "matrix"),
      seed: seeds,
    });
    fc.assert(
      fc.property(cases, ({ features, outputs, transposed, alpha, beta, shift, seed }) => {
        const w = random(seed, transposed ? [outputs, features] : [features, outputs]);
        const shapes: Record<string, number[]> = { scalar: [], row: [outputs], matrix: [1, outputs] };
        const constants: Record<string, TensorSpec> =
          shift === "none" ? { w } : { w, c: random(seed + 1, shapes[shift]!) };
        const attributes = { alpha: { f: alpha }, beta: { f: beta }, transB: { i: Number(transposed) } };
        expect(expectAgreement(single("Gemm", ["N", features], constants, attributes), seed)).toEqual(["Linear"]);
      }),
    );
  });

  test("Gemm adds what depends on the image, too", () => {
    const model: ModelSpec = {
      input: ["N", 3],
      constants: { w: random(1, [3, 3]) },
      nodes: [node("Gemm", ["x", "w", "x"], "y", { beta: { f: 0.5 } })],
    };
    expect(expectAgreement(model)).toEqual(["Linear", "Scale", "Add"]);
  });

  test("MatMul and the Add after it are one Linear, whichever side the bias stands on", () => {
    const constants = { w: random(1, [4, 3]), b: random(2, [3]) };
    for (const sides of [
      ["m", "b"],
      ["b", "m"],
    ]) {
      for (const input of [
        ["N", 4],
        ["N", 5, 4],
      ]) {
        const model: ModelSpec = {
          input,
          constants,
          nodes: [node("MatMul", ["x", "w"], "m"), node("Add", sides, "y")],
        };
        expect(expectAgreement(model)).toEqual(["Linear"]);
      }
    }
  });

  test("a product that something else reads keeps its bias apart", () => {
    const constants = { w: random(1, [4, 3]), b: random(2, [3]) };
    const nodes = [node("MatMul", ["x", "w"], "m"), node("Add", ["m", "b"], "a"), node("Add", ["a", "m"], "y")];
    expect(expectAgreement({ input: ["N", 4], constants, nodes })).toEqual(["Linear", "Scale", "Add"]);
    const renamed = [node("MatMul", ["x", "w"], "m"), node("Identity", ["m"], "i"), node("Add", ["i", "b"], "a")];
    const both = [...renamed, node("Add", ["a", "m"], "y")];
    expect(expectAgreement({ input: ["N", 4], constants, nodes: both })).toEqual(["Linear", "Scale", "Add"]);
  });

  test.each([
    [["N", 4], [4]],
    [["N", 5, 4], [4]],
    [
      ["N", 5, 4],
      [1, 4, 2],
    ],
    [
      ["N", 2, 5, 4],
      [4, 3],
    ],
  ] as [(string | number)[], number[]][])("MatMul of %j and a constant of %j", (input, dims) => {
    expectAgreement(single("MatMul", input, { w: random(1, dims) }));
  });

  test("a constant matrix to the left works along the last axis but one", () => {
    const model: ModelSpec = {
      input: ["N", 2, 4, 3],
      constants: { w: random(1, [5, 4]) },
      nodes: [node("MatMul", ["w", "x"], "y")],
    };
    expectAgreement(model);
  });
});

describe("arithmetic with constants", () => {
  const shapes = fc.constantFrom([], [1], [4], [3, 1], [5, 1, 1], [5, 3, 4], [1, 5, 1, 1], [1, 1, 3, 4]);

  test.each(["Add", "Sub", "Mul", "Div"])("%s repeats a constant of any shape, on both sides", (op) => {
    fc.assert(
      fc.property(shapes, seeds, fc.boolean(), batches, (dims, seed, left, batch) => {
        // No divisor near zero.
        const { values } = random(seed, dims);
        const c = constant(
          dims,
          values.map((value) => value + (value < 0 ? -1 : 1)),
        );
        fc.pre(!(op === "Div" && left));
        const model: ModelSpec = {
          input: [batch, 5, 3, 4],
          constants: { c },
          nodes: [node(op, left ? ["c", "x"] : ["x", "c"], "y")],
        };
        const kinds = expectAgreement(model, seed);
        expect(kinds.every((kind) => kind === "Scale")).toBe(true);
      }),
    );
  });

  test("squares, by power or product, and what is none", () => {
    const power = (exponent: TensorSpec): ModelSpec => single("Pow", ["N", 3], { e: exponent });
    expect(expectAgreement(power(constant([], [2])))).toEqual(["Square"]);
    expect(expectAgreement(power(integers(2)))).toEqual(["Square"]);
    expect(expectAgreement(power(constant([3], [2, 2, 2])))).toEqual(["Square"]);
    expect(expectAgreement(power(constant([], [1])))).toEqual(["Identity"]);
    for (const exponent of [3, 4, 8]) expect(expectAgreement(power(constant([], [exponent])))).toEqual(["Polynomial"]);
    expect(() => expectAgreement(power(constant([], [5])))).toThrow(/the power 5: squares and/);
    expect(() => expectAgreement(power(constant([3], [2, 1, 2])))).toThrow(/the power 2, 1/);
    expect(expectAgreement({ input: ["N", 3], nodes: [node("Mul", ["x", "x"], "y")] })).toEqual(["Square"]);
    expect(expectAgreement(single("Neg", ["N", 3]))).toEqual(["Scale"]);
  });
});

describe("graphs", () => {
  const conv = random(1, [2, 2, 3, 3]);
  const pads = { pads: ints(1, 1, 1, 1) };

  test("a shortcut, added or taken away", () => {
    for (const op of ["Add", "Sub", "Sum"]) {
      const nodes = [node("Conv", ["x", "w"], "c", pads), node(op, ["x", "c"], "y")];
      const kinds = expectAgreement({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes });
      expect(kinds.at(-1)).toBe("Add");
    }
  });

  test("x + x, and a sum of more than two with a constant", () => {
    expectAgreement({ input: ["N", 3], nodes: [node("Add", ["x", "x"], "y")] });
    const nodes = [node("Neg", ["x"], "n"), node("Mul", ["x", "x"], "s"), node("Sum", ["x", "b", "n", "s"], "y")];
    expectAgreement({ input: ["N", 3], constants: { b: random(4, [3]) }, nodes });
  });

  test.each([1, 2, -1])("Concat along axis %i", (axis) => {
    const nodes = [node("Mul", ["x", "x"], "s"), node("Concat", ["x", "s", "x"], "y", { axis: { i: axis } })];
    expect(expectAgreement({ input: ["N", 2, 3, 4], nodes })).toEqual(["Square", "Concat"]);
  });

  test("Split and Slice, with what is left over", () => {
    const split = node("Split", ["x", "sizes"], ["a", "b", "c"], { axis: { i: 1 } });
    const parts: ModelSpec = {
      input: ["N", 6, 3],
      constants: { sizes: integers(1, 3, 2) },
      nodes: [split, node("Concat", ["c", "a", "b"], "y", { axis: { i: 1 } })],
    };
    expectAgreement(parts);
    const even = node("Split", ["x"], ["a", "b"], { axis: { i: -1 }, num_outputs: { i: 2 } });
    const uneven: ModelSpec = {
      ...{ opset: 18, input: ["N", 2, 5] },
      nodes: [even, node("Concat", ["b", "a"], "y", { axis: { i: 2 } })],
    };
    expectAgreement(uneven);
    const cut = single("Slice", ["N", 5, 6, 7], {
      starts: integers(0, 1, -5, 2),
      ends: integers(2 ** 31 - 1, 9_000_000_000, -1, 6),
      axes: integers(0, 1, 2, -1),
      steps: integers(1, 1, 2, 3),
    });
    expectAgreement(cut);
  });

  test("layers that the output does not depend on are left out, whatever they are", () => {
    const nodes = [
      node("LSTM", ["x"], "t"),
      node("Conv", ["x", "w"], "c", pads),
      node("Shape", ["c"], "s"),
      node("Reshape", ["x", "s"], "y"),
    ];
    const model = load({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes });
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual(["Identity"]);
    const more = [...nodes, node("Mul", ["y", "y"], "z")];
    const square = load({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes: more, output: "z" });
    expect(square.layers).toMatchObject([{ index: 0, layer: { kind: "Square" } }]);
  });
});

describe("shapes", () => {
  test("Reshape by constants, zeros, one size left open, and the number of images", () => {
    fc.assert(
      fc.property(
        batches,
        fc.constantFrom([0, 24], [-1, 24], [0, -1], [0, 2, -1], [-1, 4, 6], [0, 0, 12], [0, 4, 3, 2], [0, 2, 3, 4]),
        (batch, target) => {
          expectAgreement(single("Reshape", [batch, 2, 3, 4], { s: integers(...target) }));
          if (typeof batch === "number" && target[0] === 0 && target[1] !== 0) {
            const fixed = [batch, ...target.slice(1)];
            expectAgreement(
              single("Reshape", [batch, 2, 3, 4], { s: integers(...fixed) }, { allowzero: { i: 1 } }, 14),
            );
          }
        },
      ),
    );
    expect(expectAgreement(single("Reshape", ["N", 2, 3, 4], { s: integers(0, -1) }))).toEqual(["Flatten"]);
  });

  test("the shape that exporters compute from the image's own", () => {
    const constants = {
      zero: integers(0),
      one: constant([], [0]),
      rest: integers(-1),
      i: { dims: [], values: [0], integers: true },
    };
    const nodes = [
      node("Shape", ["x"], "s"),
      node("Gather", ["s", "i"], "n", { axis: { i: 0 } }),
      node("Unsqueeze", ["n", "zero"], "u"),
      node("Concat", ["u", "rest"], "t", { axis: { i: 0 } }),
      node("Reshape", ["x", "t"], "y"),
    ];
    for (const batch of ["N", 1, 2])
      expect(expectAgreement({ input: [batch, 2, 3], constants, nodes })).toEqual(["Flatten"]);
  });

  test.each([
    [["N", 2, 3, 4], 1],
    [["N", 2, 3, 4], -3],
    [["N", 1, 3, 4], 2],
    [["N", 6], 1],
  ] as [(string | number)[], number][])("Flatten of %j from axis %i", (input, axis) => {
    expectAgreement(single("Flatten", input, {}, { axis: { i: axis } }));
  });

  test("Transpose of all axes but the batch", () => {
    const orders = fc.shuffledSubarray([1, 2, 3], { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(orders, (order) => {
        expectAgreement(single("Transpose", ["N", 2, 3, 4], {}, { perm: ints(0, ...order) }));
      }),
    );
  });

  test("Squeeze and Unsqueeze, whose axes are an attribute until version 12", () => {
    for (const axes of [[1], [-1], [1, 3], [3, 1]]) {
      const opened = (late: boolean, op: string): ModelSpec =>
        single(
          op,
          ["N", ...(op === "Squeeze" ? [1, 5, 1] : [5, 2])],
          late ? { a: integers(...axes) } : {},
          late ? {} : { axes: ints(...axes) },
          late ? 13 : 11,
        );
      for (const op of ["Squeeze", "Unsqueeze"]) for (const late of [true, false]) expectAgreement(opened(late, op));
    }
  });

  test("Pad with zeros, or cropping: an attribute until version 10, axes of its own since 18", () => {
    const side = fc.integer({ min: -1, max: 2 });
    fc.assert(
      fc.property(fc.array(side, { minLength: 6, maxLength: 6 }), fc.boolean(), ([a, b, c, d, e, f], late) => {
        const pads = [0, a!, b!, c!, 0, d!, e!, f!];
        const model = late
          ? single("Pad", ["N", 3, 4, 5], { p: integers(...pads) })
          : single("Pad", ["N", 3, 4, 5], {}, { pads: ints(...pads) }, 10);
        expectAgreement(model);
      }),
    );
    const zero = constant([], [0]);
    expectAgreement(
      single(
        "Pad",
        ["N", 3, 4, 5],
        { p: integers(1, 2, 3, 0), z: zero, a: integers(-1, 1) },
        { mode: { s: "constant" } },
        18,
      ),
    );
    expectAgreement(single("Pad", ["N", 4, 5], { p: integers(0, 0, 2, 0, 0, 1) }));
    expectAgreement(single("Pad", ["N", 4], { p: integers(0, 1, 0, 2) }));
    expect(expectAgreement(single("Pad", ["N", 3, 4, 5], { p: integers(0, 0, 1, 2, 0, 0, 3, 4) }))).toEqual([
      "ZeroPad2d",
    ]);
  });

  test.each(["DCR", "CRD"])("DepthToSpace by mode %s, and back", (mode) => {
    expectAgreement(single("DepthToSpace", ["N", 12, 2, 3], {}, { blocksize: { i: 2 }, mode: { s: mode } }));
    expectAgreement(single("SpaceToDepth", ["N", 3, 4, 6], {}, { blocksize: { i: 2 } }));
  });

  test("enlarging by whole numbers", () => {
    const scales = constant([4], [1, 1, 2, 3]);
    const attributes = { coordinate_transformation_mode: { s: "asymmetric" }, nearest_mode: { s: "floor" } };
    expectAgreement({
      input: ["N", 2, 3, 4],
      constants: { s: scales },
      nodes: [node("Resize", ["x", "", "s"], "y", { ...attributes, mode: { s: "nearest" } })],
    });
    expectAgreement(single("Upsample", ["N", 2, 3, 4], { s: scales }, { mode: { s: "nearest" } }, 9));
  });
});

describe("what changes nothing", () => {
  test("Identity, Dropout and a cast to another precision are no layers", () => {
    const nodes = [
      node("Dropout", ["x"], ["d", "mask"]),
      node("Cast", ["d"], "c", { to: { i: 1 } }),
      node("Identity", ["c"], "i"),
      node("Mul", ["i", "i"], "y"),
    ];
    expect(expectAgreement({ input: ["N", 3], nodes })).toEqual(["Square"]);
  });

  test("all of that in every version", () => {
    fc.assert(
      fc.property(opsets, (opset) => {
        const constants = { w: random(1, [4, 3]), c: random(2, [3]) };
        const nodes = [node("Gemm", ["x", "w", "c"], "g"), node("Identity", ["g"], "y")];
        expect(expectAgreement({ opset, input: ["N", 4], constants, nodes })).toEqual(["Linear"]);
      }),
    );
  });
});

describe("batch norm", () => {
  const constants = (channels: number): Record<string, TensorSpec> => ({
    scale: random(1, [channels]),
    bias: random(2, [channels]),
    mean: random(3, [channels]),
    variance: constant(
      [channels],
      random(4, [channels]).values.map((value) => value + 1.5),
    ),
  });

  test.each([
    [[3, 4, 5], "BatchNorm2d"],
    [[3, 4], "BatchNorm1d"],
    [[3], "BatchNorm1d"],
  ] as [number[], string][])("of %j", (shape, kind) => {
    const attributes = { epsilon: { f: 0.01 }, momentum: { f: 0.9 } };
    expect(expectAgreement(single("BatchNormalization", ["N", ...shape], constants(3), attributes))).toEqual([kind]);
  });

  test("by the statistics of the data is refused", () => {
    const training = { training_mode: { i: 1 } };
    const model = single("BatchNormalization", ["N", 3, 4, 5], constants(3), training, 14);
    expect(() => load(model)).toThrow(/model\.eval/);
    // Before version 14 the outputs say so.
    const [{ inputs }] = model.nodes as [NodeSpec];
    const early = [node("BatchNormalization", inputs, ["y", "mean2", "variance2"])];
    expect(() => load({ input: ["N", 3, 4, 5], constants: constants(3), nodes: early })).toThrow(/model\.eval/);
  });
});
