import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { networkSteps, traceShapes } from "../../src/builder/index.ts";
import { polynomialLayer } from "../../src/layers/index.ts";
import { applyAffine, tensor } from "../../src/plan/index.ts";
import { chainOf } from "../helpers/chain.ts";

/** c_0 + c_1 x + …, power by power. */
function evaluate(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, c, power) => sum + c * x ** power, 0);
}

/** The layer's algebra, step by step. */
function bySteps(coefficients: readonly number[], x: Float64Array): { result: Float64Array; squares: number } {
  const model = chainOf([polynomialLayer({ coefficients })]);
  const values = [x];
  let squares = 0;
  for (const { algebra, inputs } of networkSteps(model, traceShapes(model, [x.length]))) {
    const read = Float64Array.from(inputs.flatMap((input) => [...values[input]!]));
    if (algebra.kind === "square") squares++;
    values.push(algebra.kind === "square" ? read.map((value) => value * value) : applyAffine(algebra.map, read));
  }
  return { result: values.at(-1)!, squares };
}

const coefficient = fc.double({ min: -2, max: 2, noNaN: true });
const leading = fc.oneof(
  fc.double({ min: 0.05, max: 2, noNaN: true }),
  fc.double({ min: -2, max: -0.05, noNaN: true }),
);
const ofDegree = (degree: number): fc.Arbitrary<number[]> =>
  fc
    .tuple(fc.array(coefficient, { minLength: degree, maxLength: degree }), leading)
    .map(([lower, top]) => [...lower, top]);
const evenOfEight = fc
  .tuple(fc.array(coefficient, { minLength: 5, maxLength: 5 }), leading)
  .map(([[c0, c1, c2, c4, c6], c8]) => [c0!, c1!, c2!, 0, c4!, 0, c6!, 0, c8]);

describe("Polynomial", () => {
  test.each([
    ["1", ofDegree(1), 0],
    ["2", ofDegree(2), 1],
    ["3", ofDegree(3), 4],
    ["4", ofDegree(4), 2],
    ["8, even but for x", evenOfEight, 3],
  ])("degree %s is what its coefficients say, in the clear and by its algebra", (_, arbitrary, squares) => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 5 }),
        (c, xs) => {
          const x = Float64Array.from(xs);
          const size = c.reduce((sum, each, power) => sum + Math.abs(each) * 3 ** power, 1);
          const expected = x.map((value) => evaluate(c, value));
          const { data } = polynomialLayer({ coefficients: c }).forward(tensor([x.length], x));
          const steps = bySteps(c, x);
          expect(steps.squares).toBe(squares);
          for (const [i, value] of expected.entries()) {
            expect(Math.abs(data[i]! - value) / size).toBeLessThan(1e-13);
            // What is subtracted again can be larger than the result, by as much as the coefficients differ.
            const spread = (Math.max(...c.map(Math.abs)) / Math.abs(c.at(-1)!)) ** 2 + 1;
            expect(Math.abs(steps.result[i]! - value) / (size * spread)).toBeLessThan(1e-12);
          }
        },
      ),
    );
  });

  test("nearly a line, it squares nothing but x", () => {
    const x = Float64Array.of(-1, 0.5, 2);
    const { result } = bySteps([1, 1, 1e-9], x);
    for (const [i, value] of x.entries()) expect(result[i]).toBeCloseTo(1 + value + 1e-9 * value ** 2, 14);
  });

  test.each([
    [[], RangeError, "at least two"],
    [[1], RangeError, "at least two"],
    [[1, 0], RangeError, "the last one not 0"],
    [[1, Number.NaN, 1], RangeError, "number 1 is NaN"],
    [[0, 1, 0, 0, 0, 1], RangeError, "got degree 5"],
    [[0, 1, 0, 1, 0, 0, 0, 0, 1], RangeError, "8 without x^3"],
    ["x", TypeError, "list of numbers"],
  ])("refuses %j", (coefficients, error, message) => {
    const make = (): unknown => polynomialLayer({ coefficients: coefficients as number[] });
    expect(make).toThrow(error);
    expect(make).toThrow(message);
  });
});
