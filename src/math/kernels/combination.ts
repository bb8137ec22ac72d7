/** Linear combinations of limbs with constant weights, exact and in doubles, in plain TypeScript. Ranges: see `kernels.ts`. */

import type { Modulus } from "../modular.ts";

const LOW_BITS = 30;

/** As in `dot-product.ts`, the sum is kept twice: in a double for the quotient by p, and modulo 2^32 for the remainder. */
export function combineLimbs(
  words: Int32Array,
  out: number,
  sources: ArrayLike<number>,
  weights: Int32Array,
  count: number,
  { value: p, inverse }: Modulus,
): void {
  for (let i = 0; i < count; i++) {
    let rounded = 0;
    let wrapped = 0;
    for (let j = 0; j < sources.length; j++) {
      const x = words[sources[j] + i];
      rounded += x * weights[j];
      wrapped = (wrapped + Math.imul(x, weights[j])) | 0;
    }
    // The quotient may be longer than 32 bits; only its lowest ones matter for a remainder of 31.
    let value = (wrapped - Math.imul((rounded * inverse) | 0, p)) | 0;
    value += (value >> 31) & p;
    value -= p;
    words[out + i] = value + ((value >> 31) & p);
  }
}

export function roundedSum(
  words: Int32Array,
  low: number,
  high: number,
  sources: ArrayLike<number>,
  factors: Float64Array,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    let sum = 0.5;
    for (let j = 0; j < sources.length; j++) sum += words[sources[j] + i] * factors[j];
    const whole = Math.floor(sum);
    const upper = Math.floor(whole / 2 ** LOW_BITS);
    words[low + i] = whole - upper * 2 ** LOW_BITS;
    words[high + i] = upper;
  }
}
