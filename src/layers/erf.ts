/** The error function in double precision. */

const TWO_OVER_ROOT_PI = 1.1283791670955126;
/** From here on erf is 1 to the last bit. */
const SATURATED = 6;
/** Where the series takes as many terms as the continued fraction. */
const SERIES_UP_TO = 2.5;
/** Terms of the continued fraction that are enough above {@link SERIES_UP_TO} for an error below 1e-16. */
const FRACTION_TERMS = 60;

/**
 * erf(x) to 2e-15: below 2.5 by the series whose terms are all positive (Abramowitz and Stegun 7.1.6), above it from the continued fraction of
 * 1 - erf (7.1.14).
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const size = Math.abs(x);
  if (size >= SATURATED) return Math.sign(x);
  return Math.sign(x) * (size < SERIES_UP_TO ? series(size) : 1 - complement(size));
}

/** 2/sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + …) */
function series(x: number): number {
  const square = x * x;
  let term = x;
  let sum = x;
  for (let n = 1; term > 1e-18 * sum; n++) {
    term *= (2 * square) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_ROOT_PI * Math.exp(-square) * sum;
}

/** exp(-x^2)/sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + …))) */
function complement(x: number): number {
  let denominator = x;
  for (let n = FRACTION_TERMS; n > 0; n--) denominator = x + n / 2 / denominator;
  return ((TWO_OVER_ROOT_PI / 2) * Math.exp(-x * x)) / denominator;
}
