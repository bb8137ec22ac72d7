/** Powers of the root of unity in the order in which the transform meets them, with their Shoup quotients. */

import { invertMod, type Modulus, multiplyMod, powerMod } from "./modular.ts";
import { minimalPrimitiveRoot } from "./primes.ts";

/** What a transform modulo one prime needs. */
export interface NttTable {
  readonly ringDegree: number;
  readonly modulus: Modulus;
  /** The primitive 2N-th root that was chosen: the smallest. */
  readonly root: number;
  /** Power `reverseBits(i)` of the root, at index i. */
  readonly roots: Int32Array;
  /** `roots[i] / p`. */
  readonly rootQuotients: Float64Array;
  /** Power `-reverseBits(i)` of the root, at index i. */
  readonly inverseRoots: Int32Array;
  readonly inverseRootQuotients: Float64Array;
  /** N^-1 modulo p. */
  readonly inverseDegree: number;
}

/** Index with its lowest `bits` bits reversed. */
export function reverseBits(index: number, bits: number): number {
  let reversed = 0;
  for (let i = 0; i < bits; i++) reversed = (reversed << 1) | ((index >> i) & 1);
  return reversed;
}

/** Builds the table for a ring degree N = 2^10 … 2^16 and a prime that is 1 modulo 2N. */
export function createNttTable(ringDegree: number, modulus: Modulus): NttTable {
  const root = minimalPrimitiveRoot(ringDegree, modulus);
  const roots = powersInReversedOrder(ringDegree, root, modulus);
  const inverseRoots = inversesInReversedOrder(roots, modulus);
  let rootQuotients: Float64Array | undefined;
  let inverseRootQuotients: Float64Array | undefined;
  return {
    ringDegree,
    modulus,
    root,
    roots,
    // The kernels in WebAssembly have quotients of their own.
    get rootQuotients() {
      rootQuotients ??= Float64Array.from(roots, (power) => power / modulus.value);
      return rootQuotients;
    },
    inverseRoots,
    get inverseRootQuotients() {
      inverseRootQuotients ??= Float64Array.from(inverseRoots, (power) => power / modulus.value);
      return inverseRootQuotients;
    },
    inverseDegree: invertMod(ringDegree, modulus),
  };
}

/** Bit k of an index is worth N / 2^(k+1) in its exponent, so every block is the powers before it times one more. */
function powersInReversedOrder(ringDegree: number, root: number, modulus: Modulus): Int32Array {
  const powers = new Int32Array(ringDegree);
  powers[0] = 1;
  for (let length = 1; length < ringDegree; length *= 2) {
    const factor = powerMod(root, ringDegree / (2 * length), modulus);
    for (let i = 0; i < length; i++) powers[length + i] = multiplyMod(powers[i], factor, modulus);
  }
  return powers;
}

/** The inverse of root^e is -root^(N - e), and within the block of length 2^k at 2^k, e and N - e stand in opposite order. */
function inversesInReversedOrder(powers: Int32Array, { value: p }: Modulus): Int32Array {
  const inverses = new Int32Array(powers.length);
  inverses[0] = 1;
  for (let length = 1; length < powers.length; length *= 2) {
    for (let i = 0; i < length; i++) inverses[length + i] = p - powers[2 * length - 1 - i];
  }
  return inverses;
}
