/**
 * Moving polynomials between bases: centred lifts, and division by some of the primes with rounding.
 *
 * Every lift is centred and every division rounds. Floors would cost half a bit of noise in each rescale and shift all values
 * by a constant; uncentred digits double the noise of key switching.
 */

import { allocatePolynomial, limbOffset, type Polynomial } from "./polynomial.ts";
import type { Basis, Ring } from "./ring.ts";

/**
 * The centred lift of some limbs to another prime.
 *
 * @param scaled Word offsets of limbs x * (Q / q_j)^-1 mod q_j, as {@link scaleForConversion} makes them.
 */
export function liftLimb(ring: Ring, scaled: readonly number[], source: Basis, target: number, out: number): void {
  ring.kernels.convertBasis(out, scaled, ring.degree, ring.conversion(source, target));
}

/** Multiplies coefficient limbs in place by (Q / q_j)^-1, as {@link liftLimb} needs them. */
export function scaleForConversion(ring: Ring, limbs: readonly number[], source: Basis): void {
  if (source.length === 1) return; // The only scalar is 1.
  const { sourceScalars } = ring.conversion(source, source[0]);
  for (const [j, limb] of limbs.entries()) {
    ring.kernels.multiplyScalar(limb, limb, sourceScalars[j], ring.degree, ring.moduli[source[j]]);
  }
}

/**
 * round(a / D) where D is the product of the last `count` primes of the basis: a rescale (count 1), the division by P that ends
 * a key switch (count alpha), or both at once.
 *
 * The error against exact division is at most 1/2 a coefficient.
 */
export function divideRoundByLast(a: Polynomial<"ntt">, count: number): Polynomial<"ntt"> {
  const { ring, basis } = a;
  const { kernels, degree } = ring;
  const kept = basis.slice(0, basis.length - count);
  const dropped = basis.slice(basis.length - count);
  const quotient = allocatePolynomial(ring, kept, "ntt");
  const scratch = ring.heap.allocate((count + 1) * degree);
  const scaled = dropped.map((_, j) => scratch.offset + j * degree);
  const lifted = scratch.offset + count * degree;
  for (const [j, index] of dropped.entries()) {
    const limb = limbOffset(a, kept.length + j);
    ring.heap.words.copyWithin(scaled[j], limb, limb + degree);
    kernels.inverseNtt(scaled[j], ring.tables[index]);
  }
  scaleForConversion(ring, scaled, dropped);
  for (const [k, index] of kept.entries()) {
    liftLimb(ring, scaled, dropped, index, lifted);
    kernels.forwardNtt(lifted, ring.tables[index]);
    kernels.subtractMultiplyScalar(
      limbOffset(quotient, k),
      limbOffset(a, k),
      lifted,
      ring.conversion(dropped, index).inverseProduct,
      degree,
      ring.moduli[index],
    );
  }
  scratch.free();
  return quotient;
}
