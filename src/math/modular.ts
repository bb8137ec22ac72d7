/**
 * Arithmetic modulo a prime below 2^30 on plain numbers.
 *
 * JavaScript has no 64-bit integers and no high word of a 32-bit product, but it has doubles. A quotient is found in floating
 * point, exact to within one, and the remainder as the difference of two products modulo 2^32 (`Math.imul`): the low words of
 * both agree with the exact result because the result itself fits 32 bits. Barrett's reduction where both factors vary
 * (quotient from a * b * (1/p)), Shoup's where one factor w is fixed (quotient from a * (w/p)); the floating-point form is that
 * of V. Shoup's NTL (`mulmod`, `mulmod_precon`).
 */

export const MAX_PRIME_BITS = 30;

/**
 * Primes are below this bound, a little under 2^30. Lazy values in (-2p, 2p) must fit a signed 32-bit word, and a Shoup product may
 * exceed (-p, p) by 2^8, the rounding of its quotient; sums double that excess in each of up to 16 layers of an inverse transform.
 */
export const PRIME_CEILING: number = 2 ** MAX_PRIME_BITS - 2 ** 24;

/** A prime with what its arithmetic needs. */
export interface Modulus {
  /** The prime p, 2 < p < PRIME_CEILING. */
  readonly value: number;
  /** 1 / p as a double. */
  readonly inverse: number;
  /** Bit length of p. */
  readonly bits: number;
}

/** Makes a modulus of a prime. @throws RangeError when it is not an odd integer in [3, PRIME_CEILING). Primality is the caller's. */
export function modulus(value: number): Modulus {
  if (!Number.isInteger(value) || value < 3 || value >= PRIME_CEILING || value % 2 === 0) {
    throw new RangeError(`a modulus must be an odd prime in [3, ${PRIME_CEILING}), got ${value}`);
  }
  return { value, inverse: 1 / value, bits: 32 - Math.clz32(value) };
}

/** a * b mod p for a, b in [0, p). */
export function multiplyMod(a: number, b: number, { value: p, inverse }: Modulus): number {
  const remainder = (Math.imul(a, b) - Math.imul(Math.floor(a * b * inverse), p)) | 0;
  if (remainder < 0) return remainder + p;
  return remainder >= p ? remainder - p : remainder;
}

/** a + b mod p for a, b in [0, p). */
export function addMod(a: number, b: number, { value: p }: Modulus): number {
  const sum = a + b;
  return sum >= p ? sum - p : sum;
}

/** a - b mod p for a, b in [0, p). */
export function subtractMod(a: number, b: number, { value: p }: Modulus): number {
  const difference = a - b;
  return difference < 0 ? difference + p : difference;
}

/** base^exponent mod p for base in [0, p) and an exponent in [0, 2^53). */
export function powerMod(base: number, exponent: number, modulus: Modulus): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiplyMod(result, square, modulus);
    square = multiplyMod(square, square, modulus);
  }
  return result;
}

/** The inverse of a modulo p, for a in [1, p), by Fermat's little theorem. */
export function invertMod(a: number, modulus: Modulus): number {
  if (a === 0) throw new RangeError(`0 has no inverse modulo ${modulus.value}`);
  return powerMod(a, modulus.value - 2, modulus);
}

const TWO_32 = 2 ** 32;

/**
 * The residue in [0, p) of an integer held in a double, |x| < 2^84, of any sign.
 *
 * Above 2^53 a quotient times p would be rounded, so x is split at 2^32, which is exact, and each half reduced by itself.
 */
export function reduceInteger(x: number, modulus: Modulus): number {
  const p = modulus.value;
  const magnitude = Math.abs(x);
  let residue: number;
  if (magnitude < TWO_32) {
    residue = magnitude % p;
  } else {
    const high = Math.floor(magnitude / TWO_32);
    const low = magnitude - high * TWO_32;
    residue = (multiplyMod(high % p, TWO_32 % p, modulus) + (low % p)) % p;
  }
  return x < 0 && residue !== 0 ? p - residue : residue;
}
