/**
 * Sums of products with one reduction at the end, in plain TypeScript.
 *
 * The sum is kept twice: rounded in a double, which yields the quotient by p, and exactly modulo 2^32 in an integer, which
 * then yields the remainder. Neither overflows within the limits stated in `kernels.ts`.
 */

import type { Modulus } from "../modular.ts";

/** Indices that are summed together: both accumulators of a stretch stay in the first-level cache. */
const STRETCH = 1024;

export interface Accumulators {
  readonly rounded: Float64Array;
  readonly wrapped: Int32Array;
  /** By permutation, where each value goes. */
  readonly places: WeakMap<Int32Array, Int32Array>;
}

export function createAccumulators(): Accumulators {
  return { rounded: new Float64Array(STRETCH), wrapped: new Int32Array(STRETCH), places: new WeakMap() };
}

/** The sum of products, from `initial` on where there is one, permuted where there is a permutation. */
export function dotProduct(
  words: Int32Array,
  accumulators: Accumulators,
  out: number,
  lefts: ArrayLike<number>,
  rights: ArrayLike<number>,
  count: number,
  { value: p, inverse }: Modulus,
  initial?: number,
  permutation?: Int32Array,
): void {
  const { rounded, wrapped } = accumulators;
  const places = permutation && placesOf(accumulators, permutation);
  for (let start = 0; start < count; start += STRETCH) {
    const length = Math.min(STRETCH, count - start);
    for (let i = 0; i < length; i++) {
      const first = initial === undefined ? 0 : words[initial + start + i];
      rounded[i] = first;
      wrapped[i] = first;
    }
    let k = 0;
    for (; k + 4 <= lefts.length; k += 4) {
      const [a0, a1, a2, a3] = [lefts[k] + start, lefts[k + 1] + start, lefts[k + 2] + start, lefts[k + 3] + start];
      const [b0, b1, b2, b3] = [rights[k] + start, rights[k + 1] + start, rights[k + 2] + start, rights[k + 3] + start];
      for (let i = 0; i < length; i++) {
        const x0 = words[a0 + i];
        const y0 = words[b0 + i];
        const x1 = words[a1 + i];
        const y1 = words[b1 + i];
        const x2 = words[a2 + i];
        const y2 = words[b2 + i];
        const x3 = words[a3 + i];
        const y3 = words[b3 + i];
        rounded[i] += x0 * y0 + x1 * y1 + (x2 * y2 + x3 * y3);
        wrapped[i] += Math.imul(x0, y0) + Math.imul(x1, y1) + Math.imul(x2, y2) + Math.imul(x3, y3);
      }
    }
    for (; k < lefts.length; k++) {
      const a = lefts[k] + start;
      const b = rights[k] + start;
      for (let i = 0; i < length; i++) {
        const x = words[a + i];
        const y = words[b + i];
        rounded[i] += x * y;
        wrapped[i] += Math.imul(x, y);
      }
    }
    for (let i = 0; i < length; i++) {
      let sum = (wrapped[i] - Math.imul((rounded[i] * inverse) | 0, p)) | 0;
      sum += (sum >> 31) & p;
      sum -= p;
      words[out + (places ? places[start + i] : start + i)] = sum + ((sum >> 31) & p);
    }
  }
}

function placesOf({ places }: Accumulators, permutation: Int32Array): Int32Array {
  let found = places.get(permutation);
  if (!found) {
    found = new Int32Array(permutation.length);
    for (let i = 0; i < permutation.length; i++) found[permutation[i]] = i;
    places.set(permutation, found);
  }
  return found;
}
