/** Integers as digits, and digits as plaintext coefficients. */

import type { BfvContext } from "./parameters.ts";

/** Digits that PyCrCNN and Pyfhel have by default: 64 before the point, 32 behind. */
export const DEFAULT_INTEGER_DIGITS = 64;
export const DEFAULT_FRACTION_DIGITS = 32;
/** What the fractional encoder has by default. */
export const FRACTIONAL_DIGITS: { readonly integerDigits: number; readonly fractionDigits: number } = {
  integerDigits: DEFAULT_INTEGER_DIGITS,
  fractionDigits: DEFAULT_FRACTION_DIGITS,
};

/** A way to write integers: binary with the sign on every digit for base 2, balanced otherwise, as in SEAL 2. */
export interface DigitSystem {
  readonly base: number;
  readonly count: number;
  /** Digits of a value, lowest first; undefined where it needs more than `count`. */
  digitsOf(value: bigint): Int32Array | undefined;
  /** Largest value that `count` digits hold. */
  readonly largest: bigint;
  /** Smallest one. */
  readonly smallest: bigint;
}

/**
 * @param base 2 or more.
 * @throws RangeError for a base whose digits do not fit the plain modulus.
 */
export function createDigitSystem(
  { plainModulus: t }: Pick<BfvContext, "plainModulus">,
  base: number,
  count: number,
): DigitSystem {
  if (!Number.isInteger(base) || base < 2) throw new RangeError(`base must be an integer of 2 or more, got ${base}`);
  // Balanced digits go from -floor((b - 1) / 2) to floor(b / 2).
  const lowest = base === 2 ? -1 : -Math.floor((base - 1) / 2);
  const highest = Math.floor(base / 2);
  if (2 * highest >= t) {
    throw new RangeError(
      `base ${base} has digits up to ${highest}, plainModulus ${t} holds none above ${Math.ceil(t / 2) - 1}`,
    );
  }
  const b = BigInt(base);
  const repunit = (b ** BigInt(count) - 1n) / (b - 1n);

  function digitsOf(value: bigint): Int32Array | undefined {
    const digits = new Int32Array(count);
    // Binary digits are those of the magnitude, balanced ones those of the value itself.
    const sign = base === 2 && value < 0n ? -1 : 1;
    let rest = sign < 0 ? -value : value;
    for (let i = 0; i < count && rest !== 0n; i++) {
      let digit = Number(rest % b);
      if (digit > highest) digit -= base;
      else if (digit < (base === 2 ? 0 : lowest)) digit += base;
      digits[i] = sign * digit;
      rest = (rest - BigInt(digit)) / b;
    }
    return rest === 0n ? digits : undefined;
  }

  return { base, count, digitsOf, largest: BigInt(highest) * repunit, smallest: BigInt(lowest) * repunit };
}

/** @throws RangeError for a number of digits that is not an integer from 0 (or `least`) to N. */
export function requireDigits(name: string, digits: number, degree: number, least: number): void {
  if (Number.isInteger(digits) && digits >= least && digits <= degree) return;
  throw new RangeError(`${name} must be an integer from ${least} to the ring degree ${degree}, got ${digits}`);
}

/** The residue of a digit modulo t. */
export function toResidue(digit: number, plainModulus: number): number {
  return digit < 0 ? digit + plainModulus : digit;
}

/** The representative in (-t/2, t/2] of a coefficient. */
export function toCentred(coefficient: number, plainModulus: number): number {
  return 2 * coefficient > plainModulus ? coefficient - plainModulus : coefficient;
}

/** Sum of coefficients[start … end - 1] times base^(index - start), coefficients centred; by Horner's rule from the highest that is not 0. */
export function evaluateAt(
  coefficients: Int32Array,
  start: number,
  end: number,
  base: number,
  plainModulus: number,
): bigint {
  let top = end - 1;
  while (top >= start && coefficients[top] === 0) top--;
  const b = BigInt(base);
  let sum = 0n;
  for (let i = top; i >= start; i--) sum = sum * b + BigInt(toCentred(coefficients[i]!, plainModulus));
  return sum;
}
