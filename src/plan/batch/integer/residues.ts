/** Integers from their residues modulo several primes (the Chinese remainder theorem). */

import { CrcnnError } from "../../../errors/index.ts";
import { MAX_PRIME_BITS } from "../../../math/index.ts";

export interface ResidueSystem {
  /** T, the product of the primes. */
  readonly product: bigint;
  /** The integer in [low, low + T) with these residues, each in [0, t_i). */
  combine(residues: readonly number[], low: bigint): bigint;
}

export function createResidueSystem(primes: readonly number[]): ResidueSystem {
  const moduli = primes.map(BigInt);
  const product = moduli.reduce((left, right) => left * right, 1n);
  // 1 modulo its own prime, 0 modulo the others.
  const idempotents = moduli.map((modulus) => {
    const others = product / modulus;
    return others * power(others % modulus, modulus - 2n, modulus);
  });
  return {
    product,
    combine(residues, low) {
      const sum = residues.reduce((total, residue, i) => total + BigInt(residue) * idempotents[i], -low);
      const remainder = sum % product;
      return low + (remainder < 0n ? remainder + product : remainder);
    },
  };
}

/**
 * Checks that every output has residues of its own. Everything before the outputs may wrap around: sums and products are exact modulo T.
 *
 * @param bounds Least and greatest output, in decimal.
 * @throws CrcnnError VALUE_RANGE
 */
export function requireRoomForOutputs(plainModuli: readonly number[], bounds: readonly [string, string]): void {
  const [low, high] = bounds.map(BigInt);
  const outputs = high - low + 1n;
  const product = plainModuli.reduce((left, right) => left * BigInt(right), 1n);
  if (outputs <= product) return;
  const bits = (value: bigint): number => value.toString(2).length;
  throw new CrcnnError(
    "VALUE_RANGE",
    `outputs may be any of ${bits(outputs)} bits of integers, the plain moduli ${plainModuli.join(", ")} tell ${bits(product)} bits apart, so ` +
      `results could wrap around unnoticed; ${Math.ceil(bits(outputs) / MAX_PRIME_BITS)} primes of ${MAX_PRIME_BITS} bits would hold them: ` +
      "compile the model again for the values that inputs have",
  );
}

/** Fermat's inverse, with exponent p - 2. */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}
