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
 * @param scaled Word offsets of limbs x * (Q / q_j)^-1 mod q_j, as {@link scaleLimbForConversion} makes them.
 */
export function liftLimb(ring: Ring, scaled: readonly number[], source: Basis, target: number, out: number): void {
  ring.kernels.convertBasis(out, scaled, ring.degree, ring.conversion(source, target));
}

/** Multiplies limb j of a source basis in place by (Q / q_j)^-1, as {@link liftLimb} needs it; coefficient form. */
export function scaleLimbForConversion(ring: Ring, limb: number, source: Basis, j: number): void {
  if (source.length === 1) return; // The only scalar is 1.
  const { sourceScalars } = ring.conversion(source, source[0]);
  ring.kernels.multiplyScalar(limb, limb, sourceScalars[j], ring.degree, ring.moduli[source[j]]);
}

/**
 * round(a / D) for each of several polynomials over one basis, where D is the product of the last `count` primes of the basis: a rescale
 * (count 1), the division by P that ends a key switch (count alpha), or both at once.
 *
 * The error against exact division is at most 1/2 a coefficient.
 */
export function divideEachRoundByLast(sources: readonly Polynomial<"ntt">[], count: number): Polynomial<"ntt">[] {
  const [{ ring, basis }] = sources;
  const { kernels, degree, parallel } = ring;
  const kept = basis.slice(0, basis.length - count);
  const dropped = basis.slice(basis.length - count);
  const quotients = sources.map(() => allocatePolynomial(ring, kept, "ntt"));
  const scratch = ring.heap.allocate(sources.length * basis.length * degree);
  const scaled = sources.map((_, i) => dropped.map((_, j) => scratch.offset + (i * basis.length + j) * degree));
  for (const [i, source] of sources.entries()) {
    // The dropped limbs stand together, at the end.
    const first = limbOffset(source, kept.length);
    ring.heap.words.copyWithin(scaled[i][0], first, first + count * degree);
  }
  parallel(sources.length * count, (task) => {
    const i = Math.floor(task / count);
    const j = task % count;
    kernels.inverseNtt(scaled[i][j], ring.tables[dropped[j]]);
    scaleLimbForConversion(ring, scaled[i][j], dropped, j);
  });
  parallel(sources.length * kept.length, (task) => {
    const i = Math.floor(task / kept.length);
    const k = task % kept.length;
    const index = kept[k];
    const lifted = scratch.offset + (i * basis.length + count + k) * degree;
    liftLimb(ring, scaled[i], dropped, index, lifted);
    kernels.forwardNtt(lifted, ring.tables[index]);
    const inverse = ring.conversion(dropped, index).inverseProduct;
    const modulus = ring.moduli[index];
    kernels.subtractMultiplyScalar(
      limbOffset(quotients[i], k),
      limbOffset(sources[i], k),
      lifted,
      inverse,
      degree,
      modulus,
    );
  });
  scratch.free();
  return quotients;
}

/** {@link divideEachRoundByLast} of one polynomial. */
export function divideRoundByLast(a: Polynomial<"ntt">, count: number): Polynomial<"ntt"> {
  return divideEachRoundByLast([a], count)[0];
}
