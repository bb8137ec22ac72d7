import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ChebyshevSeries,
  evaluateSeries,
  fromUnit,
  type Interval,
  toMonomials,
  toUnit,
} from "../../../src/builder/fit/chebyshev.ts";
import { fitLeastSquares, measureDensity } from "../../../src/builder/fit/least-squares.ts";
import { fitMinimax } from "../../../src/builder/fit/minimax.ts";

const relu = (x: number): number => Math.max(x, 0);
const silu = (x: number): number => x / (1 + Math.exp(-x));
const interval = fc
  .tuple(fc.double({ min: -12, max: 10, noNaN: true }), fc.double({ min: 0.5, max: 15, noNaN: true }))
  .map(([low, width]): Interval => [low, low + width]);
const numbers = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 9 });
const powersUpTo = (degree: number): number[] => Array.from({ length: degree + 1 }, (_, k) => k);
const even = (length = 1): Float64Array => new Float64Array(length).fill(1 / length);

describe("Chebyshev series", () => {
  test("are sums of cos(k arccos t), in their own basis and in powers of x", () => {
    fc.assert(
      fc.property(interval, numbers, fc.double({ min: 0, max: 1, noNaN: true }), (ends, coefficients, at) => {
        const x = ends[0] + at * (ends[1] - ends[0]);
        const angle = Math.acos(Math.max(-1, Math.min(1, toUnit(ends, x))));
        const expected = coefficients.reduce((sum, c, k) => sum + c * Math.cos(k * angle), 0);
        const series: ChebyshevSeries = { interval: ends, coefficients };
        const size = coefficients.reduce((sum, c) => sum + Math.abs(c), 1);
        expect(Math.abs(evaluateSeries(series, x) - expected) / size).toBeLessThan(1e-7);
        const powers = toMonomials(series);
        expect(powers).toHaveLength(coefficients.length);
        const terms = powers.map((c, k) => c * x ** k);
        // Powers of x may be large and cancel, where the interval is far from 0.
        const largest = terms.reduce((sum, term) => sum + Math.abs(term), size);
        const value = terms.reduce((sum, term) => sum + term, 0);
        expect(Math.abs(value - evaluateSeries(series, x)) / largest).toBeLessThan(1e-11);
      }),
    );
  });

  test("an interval's ends are -1 and 1", () => {
    expect([toUnit([2, 6], 2), toUnit([2, 6], 4), toUnit([2, 6], 6)]).toEqual([-1, 0, 1]);
    expect([fromUnit([2, 6], -1), fromUnit([2, 6], 0.5)]).toEqual([2, 5]);
  });
});

describe("least squares", () => {
  test("give back a polynomial of the degree", () => {
    fc.assert(
      fc.property(interval, numbers, (ends, coefficients) => {
        const series = { interval: ends, coefficients };
        const f = (x: number): number => evaluateSeries(series, x);
        const found = fitLeastSquares(f, ends, powersUpTo(coefficients.length - 1), even(500));
        for (const [k, c] of coefficients.entries()) expect(found.coefficients[k]).toBeCloseTo(c, 9);
      }),
    );
  });

  test("no other coefficients have a smaller mean square error on the values", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.constantFrom(2, 3, 4), fc.constantFrom(relu, silu), (seed, degree, f) => {
        // Bell-shaped, with a centre of their own.
        const values = Float64Array.from({ length: 3000 }, (_, i) => {
          const sum = [1, 2, 3, 4].reduce(
            (total, k) => total + ((Math.imul(i * 4 + k + seed, 2654435761) >>> 8) % 4096) / 4096,
            0,
          );
          return 3 * (sum - 2) + (seed % 3) - 1;
        });
        const ends: Interval = [Math.min(...values) - 0.5, Math.max(...values) + 0.5];
        const density = measureDensity(ends, [values]);
        const found = fitLeastSquares(f, ends, powersUpTo(degree), density);
        const error = (coefficients: readonly number[]): number =>
          values.reduce((sum, x) => sum + (f(x) - evaluateSeries({ interval: ends, coefficients }, x)) ** 2, 0) /
          values.length;
        const least = error(found.coefficients);
        for (let k = 0; k <= degree; k++) {
          for (const change of [-0.05, 0.05]) {
            // The floor under the density and its cells are worth less than such a change.
            const other = found.coefficients.map((c, i) => (i === k ? c + change : c));
            expect(error(other)).toBeGreaterThan(least);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("parity: on values as often positive as negative, ReLU is x / 2 and an even polynomial", () => {
    const values = Float64Array.from({ length: 2001 }, (_, i) => (i - 1000) / 250);
    const density = measureDensity([-5, 5], [values]);
    for (const f of [relu, silu]) {
      const [, first, second, third] = toMonomials(fitLeastSquares(f, [-5, 5], powersUpTo(4), density));
      expect(first).toBeCloseTo(0.5, 3);
      expect(third).toBeCloseTo(0, 3);
      expect(second).toBeGreaterThan(0.05);
    }
  });

  test("only the powers asked for are used", () => {
    const { coefficients } = fitLeastSquares(silu, [-6, 6], [0, 1, 2, 4, 6, 8], even(1000));
    expect(coefficients).toHaveLength(9);
    expect([3, 5, 7].map((k) => coefficients[k])).toEqual([0, 0, 0]);
    const powers = toMonomials({ interval: [-6, 6], coefficients });
    expect([3, 5, 7].map((k) => Math.abs(powers[k]!))).toEqual([0, 0, 0]);
  });

  test("density counts values, those outside at the ends", () => {
    const density = measureDensity([0, 4096], [Float64Array.of(0.5, 0.5, 7.2, 1e9, -3), Float64Array.of(7.9)]);
    expect([density[0], density[7], density[4095]].map((part) => Math.round(part! * 6))).toEqual([3, 2, 1]);
    expect(density.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 12);
  });
});

describe("minimax", () => {
  /** Largest errors of each run of one sign. */
  function extremes(f: (x: number) => number, series: ChebyshevSeries): number[] {
    const found: number[] = [];
    for (let i = 0; i <= 200_000; i++) {
      const x = fromUnit(series.interval, -Math.cos((Math.PI * i) / 200_000));
      const error = f(x) - evaluateSeries(series, x);
      const last = found[found.length - 1];
      if (last === undefined || Math.sign(error) !== Math.sign(last)) found.push(error);
      else if (Math.abs(error) > Math.abs(last)) found[found.length - 1] = error;
    }
    return found;
  }

  test.each([
    ["ReLU", relu],
    ["SiLU", silu],
    ["exp", Math.exp],
    ["tanh", Math.tanh],
  ] as const)(
    "%s: the error takes its maximum degree + 2 times with alternating signs, which makes it the least",
    (_, f) => {
      for (const degree of [1, 2, 3, 4, 5, 8]) {
        const found = extremes(f, fitMinimax(f, [-3, 2], degree));
        const largest = Math.max(...found.map(Math.abs));
        const levelled = found.filter((error) => Math.abs(error) > largest * (1 - 1e-4));
        expect(levelled.length).toBeGreaterThanOrEqual(degree + 2);
        for (const [i, error] of levelled.entries())
          if (i > 0) expect(Math.sign(error)).toBe(-Math.sign(levelled[i - 1]!));
      }
    },
  );

  test("known best approximations", () => {
    // |x| by x^2 + 1/8; x^n by x^n - T_n / 2^(n - 1), with an error of 2^(1 - n).
    const [c0, c1, c2] = toMonomials(fitMinimax(Math.abs, [-1, 1], 2));
    for (const [found, wanted] of [
      [c0, 1 / 8],
      [c1, 0],
      [c2, 1],
    ] as const)
      expect(found).toBeCloseTo(wanted, 5);
    for (const n of [2, 3, 5]) {
      const series = fitMinimax((x) => x ** n, [-1, 1], n - 1);
      expect(Math.max(...extremes((x) => x ** n, series).map(Math.abs))).toBeCloseTo(2 ** (1 - n), 6);
    }
  });

  test("a polynomial is found as it is", () => {
    const found = toMonomials(fitMinimax((x) => 1 - 2 * x + x ** 3, [-2, 5], 4));
    for (const [k, wanted] of [1, -2, 0, 1, 0].entries()) expect(found[k]).toBeCloseTo(wanted, 9);
  });

  test("no least-squares fit has a smaller largest error", () => {
    for (const degree of [2, 4]) {
      const worst = (series: ChebyshevSeries): number => Math.max(...extremes(silu, series).map(Math.abs));
      const squares = fitLeastSquares(silu, [-8, 8], powersUpTo(degree), even(2000));
      expect(worst(fitMinimax(silu, [-8, 8], degree))).toBeLessThan(worst(squares));
    }
  });
});
