/** Integers from their residues modulo several primes (the Chinese remainder theorem). */

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

/** Fermat's inverse, with exponent p - 2. */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}
