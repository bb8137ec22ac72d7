import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fits, ints, random, seeds, single, size, windowAttributes, windows } from "./specs.ts";
import { expectAgreement, load } from "./support.ts";
import { constant, integers, type NodeSpec, node, type TensorSpec } from "./writer.ts";

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
