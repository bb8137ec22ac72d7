/** Polynomials with the least mean square error, where values that occur often count more. */

import { type ChebyshevSeries, chebyshevRow, fromUnit, type Interval, toUnit } from "./chebyshev.ts";
import { solveLinear } from "./linear-system.ts";

/** Cells of the interval in which values are counted. */
const CELLS = 4096;
/**
 * What all cells together weigh beside the values, for degrees up to 4 and above. Where hardly any values are, this keeps the polynomial from
 * swinging, which those of a higher degree do more; it is small, since a network's answers depend on the values that are there.
 */
const FLOOR = 0.01;
const HIGH_FLOOR = 0.04;

/** How much each cell of an interval counts; the cells have equal lengths. */
export type Density = Float64Array;

/** The part of the values in each cell of the interval. Values outside count to the cells at the ends. */
export function measureDensity(interval: Interval, values: Iterable<Float64Array>): Density {
  const density = new Float64Array(CELLS);
  let count = 0;
  for (const data of values) {
    count += data.length;
    for (const value of data) {
      const cell = Math.floor(((toUnit(interval, value) + 1) / 2) * CELLS);
      density[Math.min(CELLS - 1, Math.max(0, cell))]++;
    }
  }
  return density.map((value) => value / Math.max(1, count));
}

/**
 * The polynomial that is nearest to a function in the mean square, weighted by a density and evenly by a little more. It solves the normal
 * equations in Chebyshev's basis.
 *
 * @param powers Which Chebyshev polynomials it is made of, ascending.
 */
export function fitLeastSquares(
  f: (x: number) => number,
  interval: Interval,
  powers: readonly number[],
  density: Density,
): ChebyshevSeries {
  const degree = powers[powers.length - 1];
  const floor = (degree > 4 ? HIGH_FLOOR : FLOOR) / density.length;
  const rows = powers.map(() => new Array<number>(powers.length + 1).fill(0));
  for (const [cell, part] of density.entries()) {
    const t = (2 * cell + 1) / density.length - 1;
    const row = chebyshevRow(degree, t);
    const basis = [...powers.map((power) => row[power]), f(fromUnit(interval, t))];
    for (const [i, equation] of rows.entries()) {
      for (let k = 0; k < equation.length; k++) equation[k] += (part + floor) * basis[i] * basis[k];
    }
  }
  const coefficients = new Array<number>(degree + 1).fill(0);
  for (const [i, value] of solveLinear(rows).entries()) coefficients[powers[i]] = value;
  return { interval, coefficients };
}
