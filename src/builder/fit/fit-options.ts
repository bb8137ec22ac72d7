/** What `fit` is called with, and its checks. */

import type { Tensor } from "../../plan/index.ts";

export type FitMethod = "least-squares" | "minimax" | "sign";
const METHODS: readonly string[] = ["least-squares", "minimax", "sign"] satisfies FitMethod[];

/**
 * Degrees that polynomials can have: 2 is one square deep, 3 and 4 are two, 8 is three. Those of degree 8 have no odd power but x itself, which suits
 * functions that are even but for a multiple of x: ReLU, SiLU, GELU, Softplus.
 */
const FIT_DEGREES = [2, 3, 4, 8] as const;
export type FitDegree = (typeof FIT_DEGREES)[number];

export interface FitOptions {
  /** Inputs like those to come: what reaches each activation is measured on them. A few hundred are better than a few. */
  readonly calibration: readonly Tensor[];
  /** Degrees to choose from. By default 3 for odd functions as Tanh, 2, 4 and 8 for others. */
  readonly degrees?: readonly FitDegree[] | undefined;
  /**
   * "least-squares", the default, gives the values that occur often the smallest errors; "minimax" has the least maximal error on the whole
   * interval; "sign" composes a sign for ReLU (`compositeReluLayer`), which is deep and exact around 0, and fits other activations by least squares.
   */
  readonly method?: FitMethod | undefined;
  /** How far an interval reaches beyond the values seen, on each side, as a part of their range; 0.1 by default. */
  readonly margin?: number | undefined;
  /**
   * The part of the inputs whose answer (the largest output) must stay what it was, by count and as it is to be expected of others like them; 0.99 by
   * default.
   */
  readonly agreement?: number | undefined;
}

export interface ResolvedFitOptions {
  readonly calibration: readonly Tensor[];
  /** Ascending. */
  readonly degrees: readonly FitDegree[] | undefined;
  readonly method: FitMethod;
  readonly margin: number;
  readonly agreement: number;
}

/** @throws TypeError or RangeError naming the argument, its value and what it takes. */
export function resolveFitOptions(options: FitOptions): ResolvedFitOptions {
  const { calibration, degrees, method = "least-squares", margin = 0.1, agreement = 0.99 } = options ?? {};
  if (!Array.isArray(calibration) || calibration.length === 0) {
    throw new TypeError("calibration must be a list of at least one tensor, as the inputs to come");
  }
  for (const [i, sample] of calibration.entries()) {
    if (Array.isArray(sample?.shape) && sample.data instanceof Float64Array && sample.data.every(Number.isFinite))
      continue;
    throw new TypeError(`calibration[${i}] must be a tensor { shape, data } of finite numbers`);
  }
  const known: readonly number[] = FIT_DEGREES;
  const isDegree = (degree: number): boolean => known.includes(degree);
  if (degrees !== undefined && !(Array.isArray(degrees) && degrees.length > 0 && degrees.every(isDegree))) {
    throw new RangeError(`degrees must be a list of ${known.join(", ")}, got ${JSON.stringify(degrees)}`);
  }
  if (!METHODS.includes(method)) {
    throw new RangeError(
      `method must be ${METHODS.map((each) => JSON.stringify(each)).join(", ")}, got ${JSON.stringify(method)}`,
    );
  }
  for (const [name, value, most] of [
    ["margin", margin, 10],
    ["agreement", agreement, 1],
  ] as const) {
    if (typeof value === "number" && value >= 0 && value <= most) continue;
    throw new RangeError(`${name} must be a number from 0 to ${most}, got ${String(value)}`);
  }
  return { calibration, degrees: degrees && [...new Set(degrees)].sort((a, b) => a - b), method, margin, agreement };
}
