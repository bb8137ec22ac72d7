/** A polynomial of each element as squares and affine maps. */

import { affineMap, type LayerStep, type Shape, sizeOf } from "../plan/index.ts";

/** Where a polynomial's argument lies. */
export type ArgumentRange = readonly [low: number, high: number];

/** Terms that are this much smaller than the largest on the range are left out: rounding put them there. */
const NEGLIGIBLE = 1e-13;
/** Completing a power shifts the argument; by more than this many half-widths of its range it would make large numbers that cancel. */
const LARGEST_SHIFT = 4;

/** A value times a weight; value 0 is the layer's input, value k the result of its k-th step. */
type Term = readonly [value: number, weight: number];

/**
 * The steps of a polynomial of degree 4 at most. Powers are completed: a parabola is one square between affine maps, and a quartic is
 * ±(v^2 + a)^2 + b v + c for the v = k (x + s) that leaves no third power. Where s would be large, as for odd functions, third and fourth powers come
 * from the squares of x^2 + x and x^2 - x.
 *
 * @param coefficients Of 1, x, x^2, …
 * @param range The steps are chosen for arguments in it, and right everywhere.
 */
export function polynomialSteps(
  coefficients: readonly number[],
  inputShape: Shape,
  [low, high]: ArgumentRange,
): LayerStep[] {
  const { steps, combine, square } = stepWriter(inputShape);
  const [middle, half] = [(low + high) / 2, (high - low) / 2];
  // On t = (x - middle) / half, which lies in [-1, 1], terms can be compared.
  const onUnit = shiftArgument(coefficients, middle).map((coefficient, i) => coefficient * half ** i);
  const least = NEGLIGIBLE * Math.max(...onUnit.map(Math.abs));
  const [c0, c1, c2, c3, c4] = Array.from({ length: 5 }, (_, i) => {
    const coefficient = onUnit[i] ?? 0;
    return Math.abs(coefficient) > least ? coefficient : 0;
  }) as [number, number, number, number, number];
  /** k (t + shift) */
  const argument = (k: number, shift: number): number => combine([[0, k / half]], k * (shift - middle / half));

  if (c4 !== 0 && Math.abs(c3) <= 4 * LARGEST_SHIFT * Math.abs(c4)) {
    const shift = c3 / (4 * c4);
    const [d0, d1, d2] = shiftArgument([c0, c1, c2, c3, c4], -shift) as [number, number, number];
    const k = Math.abs(c4) ** 0.25;
    const sign = Math.sign(c4);
    const a = (sign * d2) / (2 * k ** 2);
    const v = argument(k, shift);
    const w = square(combine([[square(v), 1]], a));
    combine(
      [
        [w, sign],
        [v, d1 / k],
      ],
      d0 - sign * a ** 2,
    );
  } else if (c4 !== 0 || c3 !== 0) {
    const t = argument(1, 0);
    const y = square(t);
    const [sum, difference] = [1, -1].map((sign) =>
      square(
        combine(
          [
            [y, 1],
            [t, sign],
          ],
          0,
        ),
      ),
    ) as [number, number];
    // The squares add up to 2 t^4 + 2 t^2, and their difference is 4 t^3.
    combine(
      [
        [sum, c4 / 2 + c3 / 4],
        [difference, c4 / 2 - c3 / 4],
        [y, c2 - c4],
        [t, c1],
      ],
      c0,
    );
  } else if (c2 !== 0 && Math.abs(c1) <= 2 * LARGEST_SHIFT * Math.abs(c2)) {
    const shift = c1 / (2 * c2);
    const y = square(argument(Math.abs(c2) ** 0.5, shift));
    combine([[y, Math.sign(c2)]], c0 - c2 * shift ** 2);
  } else if (c2 !== 0) {
    const t = argument(1, 0);
    combine(
      [
        [square(t), c2],
        [t, c1],
      ],
      c0,
    );
  } else {
    combine([[0, c1 / half]], c0 - (c1 * middle) / half);
  }
  return steps;
}

/** Appends steps on values of one shape, and gives the number of each result. */
function stepWriter(shape: Shape): {
  readonly steps: LayerStep[];
  combine(terms: readonly Term[], constant: number): number;
  square(value: number): number;
} {
  const steps: LayerStep[] = [];
  const size = sizeOf(shape);
  return {
    steps,
    square: (value) => steps.push({ algebra: { kind: "square" }, inputs: [value] }),
    /** The sum of terms and a constant. */
    combine(terms, constant) {
      const used = terms.filter(([, weight]) => weight !== 0);
      const read = used.length > 0 ? used : terms.slice(0, 1);
      const map = affineMap(
        read.length === 1 ? shape : [read.length * size],
        shape,
        (row, add) => {
          for (const [i, [, weight]] of read.entries()) add(i * size + row, weight);
        },
        new Float64Array(size).fill(constant),
      );
      return steps.push({ algebra: { kind: "affine", map }, inputs: read.map(([value]) => value) });
    },
  };
}

/** The coefficients of p(x + shift), by repeated synthetic division. */
function shiftArgument(coefficients: readonly number[], shift: number): number[] {
  const shifted = [...coefficients];
  for (let from = 0; from < shifted.length; from++) {
    for (let i = shifted.length - 2; i >= from; i--) shifted[i]! += shift * shifted[i + 1]!;
  }
  return shifted;
}
