/** NTT-friendly primes, found at run time: p = 1 mod 2N, so that the 2N-th roots of unity exist modulo p. */

import { CrcnnError } from "../errors/index.ts";
import { MAX_PRIME_BITS, type Modulus, modulus, multiplyMod, PRIME_CEILING, powerMod } from "./modular.ts";

/** Bases that make Miller–Rabin exact below 3,474,749,660,383 (Jaeschke, Math. Comp. 61, 1993). */
const WITNESSES = [2, 3, 5, 7, 11, 13];

/** True for primes. Exact for every integer in [0, PRIME_CEILING). */
export function isPrime(candidate: number): boolean {
  if (!Number.isInteger(candidate) || candidate < 2) return false;
  for (const witness of WITNESSES) {
    if (candidate === witness) return true;
    if (candidate % witness === 0) return false;
  }
  const field = modulus(candidate);
  let odd = candidate - 1;
  let twos = 0;
  for (; odd % 2 === 0; odd /= 2) twos++;
  return WITNESSES.every((witness) => {
    let power = powerMod(witness, odd, field);
    if (power === 1 || power === candidate - 1) return true;
    for (let i = 1; i < twos; i++) {
      power = multiplyMod(power, power, field);
      if (power === candidate - 1) return true;
    }
    return false;
  });
}

/**
 * The largest primes of the given bit lengths that are 1 modulo 2N, all different.
 *
 * @param ringDegree N, a power of two.
 * @param bits One bit length a prime, each at most 30; equal lengths give successive primes downwards.
 * @param exclude Primes that must not be used again.
 * @throws CrcnnError OUT_OF_PRIMES when a length has too few such primes.
 */
export function findNttPrimes(ringDegree: number, bits: readonly number[], exclude: readonly number[] = []): number[] {
  const step = 2 * ringDegree;
  const used = new Set(exclude);
  const nextBelow = new Map<number, number>();
  return bits.map((length) => {
    if (!Number.isInteger(length) || length < 2 || length > MAX_PRIME_BITS) {
      throw new RangeError(`a prime's bit length must be an integer in [2, ${MAX_PRIME_BITS}], got ${length}`);
    }
    const lowest = 2 ** (length - 1);
    let candidate = nextBelow.get(length) ?? Math.floor((Math.min(2 ** length, PRIME_CEILING) - 2) / step) * step + 1;
    while (candidate > lowest && (used.has(candidate) || !isPrime(candidate))) candidate -= step;
    if (candidate <= lowest) {
      throw new CrcnnError(
        "OUT_OF_PRIMES",
        `fewer than ${bits.filter((other) => other === length).length} primes of ${length} bits are 1 mod ${step}; ` +
          "ask for longer primes (at most 30 bits) or a smaller ring degree",
      );
    }
    nextBelow.set(length, candidate - step);
    used.add(candidate);
    return candidate;
  });
}

/**
 * The smallest primitive 2N-th root of unity modulo p (SEAL's convention, so that NTT forms can be interchanged).
 *
 * @throws RangeError when p is not 1 modulo 2N.
 */
export function minimalPrimitiveRoot(ringDegree: number, field: Modulus): number {
  const p = field.value;
  const order = 2 * ringDegree;
  if ((p - 1) % order !== 0)
    throw new RangeError(`modulus ${p} is not 1 modulo ${order}, it has no root of that order`);
  let root = 0;
  for (let base = 2; root === 0; base++) {
    const candidate = powerMod(base, (p - 1) / order, field);
    if (powerMod(candidate, ringDegree, field) === p - 1) root = candidate;
  }
  // All primitive roots are the odd powers of one of them; those beyond the N-th are the others' negatives.
  const square = multiplyMod(root, root, field);
  let smallest = root;
  for (let i = 0, power = root; i < ringDegree / 2; i++) {
    smallest = Math.min(smallest, power, p - power);
    power = multiplyMod(power, square, field);
  }
  return smallest;
}
