import { type Layer, sizeOf } from "../plan/index.ts";
import { finiteOption } from "./arguments.ts";
import { makeLayer } from "./layer.ts";
import { type ArgumentRange, polynomialSteps } from "./polynomial-steps.ts";

/** A degree of 4. */
const MOST_COEFFICIENTS = 5;

export interface PolynomialOptions {
  /** Of 1, x, x^2, …: one to five finite numbers. */
  readonly coefficients: readonly number[];
  /** Where inputs are expected, for which the way to compute it is chosen; [-1, 1] where omitted. Others give the same value, perhaps with more noise. */
  readonly range?: ArgumentRange | undefined;
}

/**
 * A polynomial of each element, on any shape: what stands for an activation that was fitted. One or two squares deep.
 *
 * @throws TypeError or RangeError for anything but one to five finite coefficients, and for a range that is none.
 */
export function createPolynomial(options: PolynomialOptions): Layer {
  const { coefficients: given, range: ends = [-1, 1] } = options ?? {};
  if (!Array.isArray(given)) throw new TypeError("Polynomial: coefficients must be a list of numbers");
  if (given.length < 1 || given.length > MOST_COEFFICIENTS) {
    throw new RangeError(`Polynomial: coefficients must be 1 to ${MOST_COEFFICIENTS} numbers, got ${given.length}`);
  }
  const coefficients = Object.freeze(given.map((value, i) => finiteOption(`Polynomial: coefficients[${i}]`, value)));
  if (!Array.isArray(ends) || ends.length !== 2) throw new TypeError("Polynomial: range must be two numbers");
  const [low, high] = ends.map((end) => finiteOption("Polynomial: an end of range", end)) as [number, number];
  if (low >= high) throw new RangeError(`Polynomial: range must have the smaller end first, got [${low}, ${high}]`);
  const range = Object.freeze([low, high] as const);
  return makeLayer({
    kind: "Polynomial",
    options: { coefficients, range },
    outputShape: (inputShape) => [...inputShape],
    products: (inputShape) => sizeOf(inputShape) * coefficients.length,
    forward: (x) => x.map((value) => coefficients.reduceRight((sum, coefficient) => sum * value + coefficient, 0)),
    algebra: (inputShape) => ({ kind: "steps", steps: polynomialSteps(coefficients, inputShape, range) }),
  });
}
