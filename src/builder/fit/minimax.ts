/** Polynomials with the least maximal error, by the algorithm of Remez (1934), exchanging all points at once. */

import { type ChebyshevSeries, chebyshevRow, evaluateSeries, fromUnit, type Interval, toUnit } from "./chebyshev.ts";
import { solveLinear } from "./linear-system.ts";

/** Points of the grid on which extremes of the error are looked for, for each degree. */
const GRID = 1024;
const MOST_ROUNDS = 60;
/** Where activations of straight pieces bend. */
const BENDS = [-3, 0, 3, 6];
/** The first points lie unevenly: on points in pairs, an even function has a polynomial without any error, from which nothing follows. */
const SKEW = 1.1;
/** It ends when the largest error exceeds the least possible one by this part at most. */
const TOLERANCE = 1e-6;

/**
 * The best approximation of a continuous function in the maximum norm. Its error takes its maximum at degree + 2 points at least, with alternating
 * signs, by which it can be known.
 */
export function fitMinimax(f: (x: number) => number, interval: Interval, degree: number): ChebyshevSeries {
  const points = GRID * (degree + 2);
  // Close together at the ends, where extremes are; a bend is one, too.
  const even = Array.from({ length: points + 1 }, (_, i) => fromUnit(interval, -Math.cos((Math.PI * i) / points)));
  const bends = BENDS.filter((x) => x > interval[0] && x < interval[1]);
  const grid = [...even, ...bends].sort((left, right) => left - right);
  const target = grid.map(f);
  let reference = Array.from({ length: degree + 2 }, (_, i) => Math.round(points * (i / (degree + 1)) ** SKEW));
  let best: { series: ChebyshevSeries; largest: number } | undefined;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { series, levelled } = level(reference, grid, target, interval, degree);
    const errors = grid.map((x, i) => target[i] - evaluateSeries(series, x));
    const largest = errors.reduce((most, error) => Math.max(most, Math.abs(error)), 0);
    if (best === undefined || largest < best.largest) best = { series, largest };
    if (largest - levelled <= TOLERANCE * largest) break;
    reference = exchange(errors, degree + 2);
    // The function is a polynomial of this degree, up to rounding.
    if (reference.length < degree + 2) break;
  }
  return (best as { series: ChebyshevSeries }).series;
}

/** The polynomial whose error has one size at all points of the reference, with alternating signs. */
function level(
  reference: readonly number[],
  grid: readonly number[],
  target: readonly number[],
  interval: Interval,
  degree: number,
): { series: ChebyshevSeries; levelled: number } {
  const rows = reference.map((at, i) => [
    ...chebyshevRow(degree, toUnit(interval, grid[at])),
    i % 2 === 0 ? 1 : -1,
    target[at],
  ]);
  const solution = solveLinear(rows);
  return {
    series: { interval, coefficients: solution.slice(0, degree + 1) },
    levelled: Math.abs(solution[degree + 1]),
  };
}

/** The largest error of each run of one sign; where there are more runs than wanted, the smallest are left out, so that signs still alternate. */
function exchange(errors: readonly number[], count: number): number[] {
  const extremes: number[] = [];
  for (const [i, error] of errors.entries()) {
    const last = extremes[extremes.length - 1];
    if (last === undefined || (error !== 0 && Math.sign(error) !== Math.sign(errors[last]))) extremes.push(i);
    else if (Math.abs(error) > Math.abs(errors[last])) extremes[extremes.length - 1] = i;
  }
  const sizeAt = (place: number): number => Math.abs(errors[extremes[place]]);
  while (extremes.length > count) {
    const end = extremes.length - 1;
    const smallest = extremes.reduce((least, _, place) => (sizeAt(place) < sizeAt(least) ? place : least), 0);
    if (smallest === 0 || smallest === end) extremes.splice(smallest, 1);
    // One within goes with a neighbour.
    else if (extremes.length > count + 1) {
      extremes.splice(sizeAt(smallest - 1) < sizeAt(smallest + 1) ? smallest - 1 : smallest, 2);
    } else extremes.splice(sizeAt(0) < sizeAt(end) ? 0 : end, 1);
  }
  return extremes;
}
