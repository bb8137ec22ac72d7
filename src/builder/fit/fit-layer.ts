/** One activation by a polynomial, on the values that reach it. */

import { CrcnnError } from "../../errors/index.ts";
import { type CompositeReluOptions, compositeReluLayer } from "../../layers/index.ts";
import type { Layer, Tensor } from "../../plan/index.ts";
import type { SourceLayer } from "../source/source-model.ts";
import { type Interval, toMonomials } from "./chebyshev.ts";
import type { ResolvedFitOptions } from "./fit-options.ts";
import { type Density, fitLeastSquares, measureDensity } from "./least-squares.ts";
import { fitMinimax } from "./minimax.ts";

/** A polynomial in the place of an activation. Plain data. */
export interface FittedActivation {
  /** The layer's number in the source model. */
  readonly index: number;
  /** PyTorch's class name of what it stands for. */
  readonly kind: string;
  readonly degree: number;
  /** Of 1, x, x^2, …; none of a composition. */
  readonly coefficients: readonly number[];
  /** Where a composed sign was asked for: the options of `compositeReluLayer`. */
  readonly composition?: CompositeReluOptions | undefined;
  /** Where it was fitted: the values seen, with a margin. */
  readonly interval: Interval;
  /** Largest error on the interval, but for its very ends. */
  readonly largestError: number;
  /** Root of the mean square error on the values seen. */
  readonly typicalError: number;
}

/** What reaches an activation: the same for every degree. */
export interface ActivationInputs {
  readonly seen: MeasuredInterval;
  /** The smallest interval around 0 that holds the one seen. */
  readonly symmetric: MeasuredInterval;
}

interface MeasuredInterval {
  readonly interval: Interval;
  readonly density: Density;
}

/** @param margin beyond the values on each side, as a part of their range. */
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
  const reach = Math.max(Math.abs(low - room), Math.abs(high + room));
  const measured = (interval: Interval): MeasuredInterval => {
    const density = measureDensity(
      interval,
      values.map(({ data }) => data),
    );
    return { interval, density };
  };
  return { seen: measured([low - room, high + room]), symmetric: measured([-reach, reach]) };
}

/** Compositions that are tried. */
const COMPOSITIONS = [2, 3, 4];

function isComposed(layer: Layer, method: ResolvedFitOptions["method"]): boolean {
  return method === "sign" && layer.kind === "ReLU";
}

/** The degrees that suit an activation, ascending: those asked for, or by the shape of the function. Of a composed sign, numbers of compositions. */
export function degreesFor(layer: Layer, { degrees, method }: ResolvedFitOptions): readonly number[] {
  if (isComposed(layer, method)) return COMPOSITIONS;
  const f = functionOf(layer);
  if (degrees === undefined && isOdd(f)) return [3];
  const asked = degrees ?? ([2, 4, 8] as const);
  const possible = asked.filter((degree) => degree <= 4 || method !== "minimax" || isLineAndEven(f));
  if (possible.length > 0) return possible;
  throw new RangeError(
    `degrees: of degree 8, ${layer.kind} has a polynomial by least squares alone, since it is no even function plus a multiple of x`,
  );
}

/** @throws CrcnnError UNSUPPORTED_MODEL for an activation that is constant on what reaches it. */
export function fitActivation(
  { index, layer }: SourceLayer,
  inputs: ActivationInputs,
  degree: number,
  method: ResolvedFitOptions["method"],
): FittedActivation {
  const f = functionOf(layer);
  const { interval, density } = inputs.seen;
  if (isComposed(layer, method)) {
    const composition = { range: inputs.symmetric.interval[1], compositions: degree };
    const errors = errorsOf(f, functionOf(compositeReluLayer(composition)), interval, density.length);
    return {
      index,
      kind: layer.kind,
      degree: 3 ** degree + 1,
      coefficients: [],
      composition,
      interval,
      ...summarize(errors, density),
    };
  }
  const coefficients = coefficientsOf(f, inputs, degree, method);
  if (coefficients.length < 2) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `layer ${index} (${layer.kind}) gives ${f(interval[0])} for every calibration input, so nothing can be fitted; calibrate with inputs like those to come`,
    );
  }
  const polynomial: RealFunction = (x) => coefficients.reduceRight((sum, each) => sum * x + each, 0);
  const errors = errorsOf(f, polynomial, interval, density.length);
  return {
    index,
    kind: layer.kind,
    degree: coefficients.length - 1,
    coefficients,
    interval,
    ...summarize(errors, density),
  };
}

function summarize(errors: Float64Array, density: Density): Pick<FittedActivation, "largestError" | "typicalError"> {
  return {
    largestError: errors.reduce((most, error) => Math.max(most, error), 0),
    typicalError: Math.sqrt(density.reduce((sum, part, cell) => sum + part * errors[cell] ** 2, 0)),
  };
}

type RealFunction = (x: number) => number;

function functionOf(layer: Layer): RealFunction {
  return (x) => layer.forward({ shape: [1], data: Float64Array.of(x) }).data[0];
}

/** Where the shape of a function is looked at. */
const PROBES = [0.3, 1, 2.5, 6, 15];
const PROBE_ERROR = 1e-9;

function isOdd(f: RealFunction): boolean {
  return PROBES.every((x) => Math.abs((f(x) + f(-x)) / 2 - f(0)) < PROBE_ERROR);
}

function isLineAndEven(f: RealFunction): boolean {
  return PROBES.every((x) => Math.abs((f(x) - f(-x)) / 2 - slopeOf(f) * x) < PROBE_ERROR * x);
}

/** Of the odd part. */
function slopeOf(f: RealFunction): number {
  return (f(1) - f(-1)) / 2;
}

/** Up to the last that matters; of degree 1 to 4, or 8. */
function coefficientsOf(
  f: RealFunction,
  inputs: ActivationInputs,
  degree: number,
  method: ResolvedFitOptions["method"],
): number[] {
  const { seen, symmetric } = inputs;
  const reach = symmetric.interval[1];
  if (degree === 8) {
    const found = trim(method === "minimax" ? evenMinimax(f, reach) : evenLeastSquares(f, symmetric), reach);
    // The highest power may be of no use.
    return found.length === degree + 1 ? found : coefficientsOf(f, inputs, 4, method);
  }
  const powers = Array.from({ length: degree + 1 }, (_, power) => power);
  const series =
    method === "minimax"
      ? fitMinimax(f, seen.interval, degree)
      : fitLeastSquares(f, seen.interval, powers, seen.density);
  return trim(toMonomials(series), reach);
}

function evenLeastSquares(f: RealFunction, { interval, density }: MeasuredInterval): number[] {
  return toMonomials(fitLeastSquares(f, interval, [0, 1, 2, 4, 6, 8], density));
}

/** The even part is best by a polynomial of x^2, on half the interval. */
function evenMinimax(f: RealFunction, reach: number): number[] {
  const even = (square: number): number => (f(Math.sqrt(square)) + f(-Math.sqrt(square))) / 2;
  const ofSquare = toMonomials(fitMinimax(even, [0, reach ** 2], 4));
  return ofSquare.flatMap((coefficient, i) =>
    i === 0 ? [coefficient, slopeOf(f)] : i === 4 ? [coefficient] : [coefficient, 0],
  );
}

/** Powers that add this much less than the largest one do are rounding. */
const NEGLIGIBLE = 1e-8;

function trim(coefficients: readonly number[], reach: number): number[] {
  const sizes = coefficients.map((coefficient, power) => Math.abs(coefficient) * reach ** power);
  const least = NEGLIGIBLE * Math.max(...sizes);
  return coefficients.slice(0, sizes.findLastIndex((size) => size > least) + 1);
}

/** In the middle of each of `cells` equal parts of an interval. */
function errorsOf(f: RealFunction, approximation: RealFunction, [low, high]: Interval, cells: number): Float64Array {
  return Float64Array.from({ length: cells }, (_, cell) => {
    const x = low + ((cell + 0.5) / cells) * (high - low);
    return Math.abs(f(x) - approximation(x));
  });
}
