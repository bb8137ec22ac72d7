/** Small rings, and the way between their polynomials and plain BigInt coefficients. */

import { invert, mod } from "../../src/math/bigint-ntt.ts";
import {
  allocatePolynomial,
  type Basis,
  copyPolynomial,
  createEngine,
  createRing,
  findNttPrimes,
  type Polynomial,
  type Ring,
  readLimb,
  toCoefficients,
  toNtt,
  writeLimb,
} from "../../src/math/index.ts";

/** A ring with the largest primes of the given bit lengths and a heap of its own. */
export function createTestRing(degree: number, bits: readonly number[]): Ring {
  return createRing(degree, findNttPrimes(degree, bits), createEngine({ backend: "ts" }));
}

/** The primes of a basis. */
export function primesOf(ring: Ring, basis: Basis): bigint[] {
  return basis.map((index) => BigInt(ring.moduli[index].value));
}

/** Q, the product of a basis. */
export function productOf(ring: Ring, basis: Basis): bigint {
  return primesOf(ring, basis).reduce((product, prime) => product * prime, 1n);
}

/** The polynomial with these coefficients, of any sign and size. */
export function fromBigints(ring: Ring, basis: Basis, coefficients: readonly bigint[]): Polynomial<"coefficient"> {
  const polynomial = allocatePolynomial(ring, basis, "coefficient");
  for (const [k, prime] of primesOf(ring, basis).entries()) {
    writeLimb(
      polynomial,
      k,
      Int32Array.from(coefficients, (coefficient) => Number(mod(coefficient, prime))),
    );
  }
  return polynomial;
}

/** {@link fromBigints}, transformed. */
export function nttFromBigints(ring: Ring, basis: Basis, coefficients: readonly bigint[]): Polynomial<"ntt"> {
  return toNtt(fromBigints(ring, basis, coefficients));
}

/** The coefficients in [0, Q), in either domain; the polynomial is left as it was. */
export function toBigints(polynomial: Polynomial): bigint[] {
  const { ring, basis } = polynomial;
  const copy = copyPolynomial(polynomial);
  const coefficients = copy.domain === "ntt" ? toCoefficients(copy as Polynomial<"ntt">) : copy;
  const limbs = basis.map((_, k) => readLimb(coefficients, k));
  copy.block.free();
  // The Chinese remainder theorem, with what does not depend on the coefficient made once.
  const product = productOf(ring, basis);
  const units = primesOf(ring, basis).map((prime) => (product / prime) * invert(product / prime, prime));
  return Array.from(limbs[0], (_, i) => limbs.reduce((sum, limb, k) => sum + BigInt(limb[i]) * units[k], 0n) % product);
}
