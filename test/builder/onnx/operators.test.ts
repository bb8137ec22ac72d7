import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batches, random, seeds, single, size } from "./specs.ts";
import { expectAgreement } from "./support.ts";
import { constant, integers, type ModelSpec, node, type TensorSpec } from "./writer.ts";

const opsets = fc.integer({ min: 7, max: 21 });

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
