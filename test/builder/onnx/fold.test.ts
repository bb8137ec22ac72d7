import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runModel } from "../../../src/builder/index.ts";
import { tensor } from "../../../src/plan/index.ts";
import { random, seeds, size } from "./specs.ts";
import { expectAgreement, load } from "./support.ts";
import { type AttributeSpec, constant, integers, node, type TensorSpec } from "./writer.ts";

/** x plus what one operator makes of constants; `shape` is that of the result. */
function expectFolded(
  op: string,
  constants: Readonly<Record<string, TensorSpec>>,
  attributes: Readonly<Record<string, AttributeSpec>>,
  shape: readonly number[],
): void {
  const nodes = [node(op, Object.keys(constants), "folded", attributes), node("Add", ["x", "folded"], "y")];
  expect(expectAgreement({ input: ["N", ...shape], constants, nodes })).toEqual(["Scale"]);
}

/** The values of a constant, seen in a network that adds it to zeros. */
function valuesOf(
  nodes: readonly ReturnType<typeof node>[],
  constants: Readonly<Record<string, TensorSpec>>,
  length: number,
): number[] {
  const model = load({ input: ["N", length], constants, nodes: [...nodes, node("Add", ["x", "c"], "y")] });
  return [...runModel(model, tensor([length], new Float64Array(length))).data];
}

describe("constants of constants", () => {
  const shapes = fc.tuple(size, size, size);

  test("Gather along every axis, by lists and tables of indices, counted from either end", () => {
    fc.assert(
      fc.property(
        seeds,
        shapes,
        fc.nat(2),
        fc.boolean(),
        fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
        (seed, shape, axis, table, picks) => {
          const length = shape[axis]!;
          const indices = picks.map((pick, i) => (i % 2 ? pick % length : (pick % length) - length));
          const dims = table ? [2, 2] : [4];
          const result = [...shape.slice(0, axis), ...dims, ...shape.slice(axis + 1)];
          const given = { values: indices, dims, integers: true };
          expectFolded("Gather", { c: random(seed, shape), i: given }, { axis: { i: axis } }, result);
        },
      ),
    );
  });

  test("Transpose, Concat and Slice", () => {
    fc.assert(
      fc.property(
        seeds,
        shapes,
        fc.shuffledSubarray([0, 1, 2], { minLength: 3, maxLength: 3 }),
        fc.nat(2),
        size,
        (seed, shape, perm, axis, more) => {
          const c = random(seed, shape);
          expectFolded(
            "Transpose",
            { c },
            { perm: { ints: perm } },
            perm.map((from) => shape[from]!),
          );
          const other = shape.map((length, at) => (at === axis ? more : length));
          const joined = shape.map((length, at) => (at === axis ? length + more : length));
          expectFolded("Concat", { c, d: random(seed + 1, other) }, { axis: { i: axis } }, joined);
          const cut = { s: integers(-shape[axis]!), e: integers(2 ** 40), a: integers(axis - 3), p: integers(2) };
          const kept = shape.map((length, at) => (at === axis ? Math.ceil(length / 2) : length));
          expectFolded("Slice", { c, ...cut }, {}, kept);
        },
      ),
    );
  });

  test.each(["Add", "Sub", "Mul", "Div"])("%s with either operand repeated", (op) => {
    const masks = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(seeds, shapes, masks, masks, (seed, shape, left, right) => {
        const [a, b] = [left, right].map((mask) => shape.map((length, axis) => (mask[axis] ? 1 : length)));
        const result = shape.map((_, axis) => Math.max(a![axis]!, b![axis]!));
        const divisor = random(seed + 1, b!);
        const away = constant(
          divisor.dims,
          divisor.values.map((value) => value + (value < 0 ? -1 : 1)),
        );
        expectFolded(op, { a: random(seed, a!), b: away }, {}, result);
      }),
    );
  });

  test("Reshape, Squeeze and Unsqueeze", () => {
    const c = random(1, [2, 1, 6]);
    expectFolded("Reshape", { c, s: integers(0, 3, -1) }, {}, [2, 3, 2]);
    expectFolded("Squeeze", { c, a: integers(-2) }, {}, [2, 6]);
    expectFolded("Unsqueeze", { c, a: integers(0, 2) }, {}, [1, 2, 1, 1, 6]);
  });

  test("integers: division towards zero, remainders of the divisor's sign, backwards slices", () => {
    const constants = {
      a: integers(7, -7, 6),
      b: integers(2, 2, -4),
      s: integers(-1),
      e: integers(-9),
      z: integers(0),
      p: integers(-1),
    };
    const float = node("Cast", ["n"], "c", { to: { i: 1 } });
    expect(valuesOf([node("Div", ["a", "b"], "n"), float], constants, 3)).toEqual([3, -3, -1]);
    expect(valuesOf([node("Mod", ["a", "b"], "n"), float], constants, 3)).toEqual([1, 1, -2]);
    expect(valuesOf([node("Neg", ["a"], "n"), float], constants, 3)).toEqual([-7, 7, -6]);
    expect(valuesOf([node("Slice", ["a", "s", "e", "z", "p"], "n"), float], constants, 3)).toEqual([6, -7, 7]);
  });

  test("constants of every form", () => {
    const float = (spec: AttributeSpec, name: string): number[] =>
      valuesOf([node("Constant", [], "c", { [name]: spec })], {}, 3);
    expect(float({ t: constant([3], [1, 2, 3]) }, "value")).toEqual([1, 2, 3]);
    expect(float({ f: 0.5 }, "value_float")).toEqual([0.5, 0.5, 0.5]);
    expect(float({ floats: [0.5, 1, 2] }, "value_floats")).toEqual([0.5, 1, 2]);
    const cast = node("Cast", ["n"], "c", { to: { i: 11 } });
    const whole = (spec: AttributeSpec, name: string): number[] =>
      valuesOf([node("Constant", [], "n", { [name]: spec }), cast], {}, 3);
    expect(whole({ i: -4 }, "value_int")).toEqual([-4, -4, -4]);
    expect(whole({ ints: [1, -2, 3] }, "value_ints")).toEqual([1, -2, 3]);
    const filled = node("ConstantOfShape", ["s"], "c", { value: { t: constant([1], [7]) } });
    expect(valuesOf([filled], { s: integers(3) }, 3)).toEqual([7, 7, 7]);
    expect(valuesOf([node("ConstantOfShape", ["s"], "c")], { s: integers(3) }, 3)).toEqual([0, 0, 0]);
    const root = [node("Sqrt", ["v"], "r"), node("Floor", ["r"], "c")];
    expect(valuesOf(root, { v: constant([3], [4, 5, 10]) }, 3)).toEqual([2, 2, 3]);
  });
});
