/** One activation by a polynomial, on the values that reach it. */

import type { Layer, Tensor } from "../../plan/index.ts";
import { type ChebyshevSeries, evaluateSeries, type Interval, toMonomials } from "./chebyshev.ts";
import type { FitDegree, ResolvedFitOptions } from "./fit-options.ts";
import { fitLeastSquares, measureDensity } from "./least-squares.ts";
import { fitMinimax } from "./minimax.ts";

/** A polynomial in the place of an activation. Plain data. */
export interface FittedActivation {
  /** The layer's number in the source model. */
  readonly index: number;
  /** PyTorch's class name of what it stands for. */
  readonly kind: string;
  readonly degree: FitDegree;
  /** Of 1, x, x^2, … */
  readonly coefficients: readonly number[];
  /** Where it was fitted: the values seen, with a margin. */
  readonly interval: Interval;
  /** Largest error on the interval. */
  readonly largestError: number;
  /** Root of the mean square error on the values seen. */
  readonly typicalError: number;
}

/** Points at which the largest error is looked for. */
const ERROR_POINTS = 4096;

/** What reaches an activation: the same for every degree. */
export interface ActivationInputs {
  readonly interval: Interval;
  readonly density: Float64Array;
}

export function measureInputs(values: readonly Tensor[], margin: number): ActivationInputs {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { data } of values) {
    for (const value of data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  // Where all values are equal any width will do.
  const room = high > low ? margin * (high - low) : Math.max(1, Math.abs(low));
  const interval = [low - room, high + room] as const;
  return {
    interval,
    density: measureDensity(
      interval,
      values.map(({ data }) => data),
    ),
  };
}

export function fitActivation(
  index: number,
  layer: Layer,
  { interval, density }: ActivationInputs,
  degree: FitDegree,
  method: ResolvedFitOptions["method"],
): FittedActivation {
  const f = (x: number): number => layer.forward({ shape: [1], data: Float64Array.of(x) }).data[0];
  const series = method === "minimax" ? fitMinimax(f, interval, degree) : fitLeastSquares(f, interval, degree, density);
  const errors = errorsOf(f, series, density.length);
  return {
    index,
    kind: layer.kind,
    degree,
    coefficients: toMonomials(series),
    interval,
    largestError: Math.max(...errorsOf(f, series, ERROR_POINTS)),
    typicalError: Math.sqrt(density.reduce((sum, part, cell) => sum + part * errors[cell] ** 2, 0)),
  };
}

/** Errors in the middle of each of `cells` equal parts of the interval. */
function errorsOf(f: (x: number) => number, series: ChebyshevSeries, cells: number): number[] {
  const [low, high] = series.interval;
  return Array.from({ length: cells }, (_, cell) => {
    const x = low + ((cell + 0.5) / cells) * (high - low);
    return Math.abs(f(x) - evaluateSeries(series, x));
  });
}
