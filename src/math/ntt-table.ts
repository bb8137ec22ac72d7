/** Powers of the root of unity in the order in which the transform meets them, with their Shoup quotients. */

import { invertMod, type Modulus, multiplyMod } from "./modular.ts";
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
  const forward = powersInReversedOrder(ringDegree, root, modulus);
  const inverse = powersInReversedOrder(ringDegree, invertMod(root, modulus), modulus);
  return {
    ringDegree,
    modulus,
    root,
    roots: forward.powers,
    rootQuotients: forward.quotients,
    inverseRoots: inverse.powers,
    inverseRootQuotients: inverse.quotients,
    inverseDegree: invertMod(ringDegree, modulus),
  };
}

function powersInReversedOrder(
  ringDegree: number,
  root: number,
  modulus: Modulus,
): { powers: Int32Array; quotients: Float64Array } {
  const bits = Math.log2(ringDegree);
  const powers = new Int32Array(ringDegree);
  for (let exponent = 0, power = 1; exponent < ringDegree; exponent++) {
    powers[reverseBits(exponent, bits)] = power;
    power = multiplyMod(power, root, modulus);
  }
  return { powers, quotients: Float64Array.from(powers, (power) => power / modulus.value) };
}
