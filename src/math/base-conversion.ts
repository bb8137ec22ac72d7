/**
 * Moving polynomials between bases: centred lifts, and division by some of the primes with rounding.
 *
 * Every lift is centred and every division rounds. Floors would cost half a bit of noise in each rescale and shift all values
 * by a constant; uncentred digits double the noise of key switching.
 */

import { multiplyMod } from "./modular.ts";
import { allocatePolynomial, limbOffset, type Polynomial } from "./polynomial.ts";
import type { Basis, Ring } from "./ring.ts";

/**
 * Residues modulo the primes of a basis turned, in place, into the mixed-radix digits of the integers that they stand for (Garner, "The
 * residue number system", 1959): d_k = (x_k - lift of the digits before it) / (q_0 … q_k-1) modulo q_k.
 *
 * @param limbs Word offsets, one a prime, of `count` residues in coefficient form.
 * @param scratch Word offset of `count` more.
 */
export function toMixedRadix(
  ring: Ring,
  limbs: readonly number[],
  source: Basis,
  count: number,
  scratch: number,
): void {
  for (let k = 1; k < source.length; k++) {
    const lift = ring.lift(source.slice(0, k), source[k]);
    ring.kernels.liftDigits(scratch, limbs.slice(0, k), count, lift);
    ring.kernels.subtractMultiplyScalar(limbs[k], limbs[k], scratch, lift.inverseProduct, count, lift.target);
  }
}

/**
 * round(a / D) for each of several polynomials over one basis, where D is the product of the last `count` primes of the basis: a rescale
 * (count 1), the division by P that ends a key switch (count alpha), or both at once.
 *
 * The error against exact division is at most 1/2 a coefficient.
 *
 * @param addends Polynomials over the kept primes to be added to the quotients; their transforms and the quotients' are the same ones.
 */
export function divideEachRoundByLast(
  sources: readonly Polynomial<"ntt">[],
  count: number,
  addends?: readonly Polynomial<"coefficient">[],
): Polynomial<"ntt">[] {
  const [{ ring, basis }] = sources;
  const { kernels, degree, parallel } = ring;
  const kept = basis.slice(0, basis.length - count);
  const dropped = basis.slice(basis.length - count);
  const quotients = sources.map(() => allocatePolynomial(ring, kept, "ntt"));
  const scratch = ring.heap.allocate(sources.length * basis.length * degree);
  const limb = (i: number, k: number): number => scratch.offset + (i * basis.length + k) * degree;
  const digits = sources.map((_, i) => dropped.map((_, j) => limb(i, j)));
  for (const [i, source] of sources.entries()) {
    // The dropped limbs stand together, at the end.
    const first = limbOffset(source, kept.length);
    ring.heap.words.copyWithin(digits[i][0], first, first + count * degree);
  }
  parallel(sources.length * count, (task) => {
    const i = Math.floor(task / count);
    const j = task % count;
    kernels.inverseNtt(digits[i][j], ring.tables[dropped[j]]);
  });
  if (count > 1) parallel(sources.length, (i) => toMixedRadix(ring, digits[i], dropped, degree, limb(i, count)));
  parallel(sources.length * kept.length, (task) => {
    const i = Math.floor(task / kept.length);
    const k = task % kept.length;
    const index = kept[k];
    const lifted = limb(i, count + k);
    const lift = ring.lift(dropped, index);
    if (addends) {
      // (a - (lifted - D c)) / D = (a - lifted) / D + c. The quotient's limb is not written yet, so it is free for now.
      const stage = limbOffset(quotients[i], k);
      kernels.liftDigits(stage, digits[i], degree, lift);
      const weights = Int32Array.of(1, negativeProduct(ring, dropped, index));
      kernels.combineLimbs(lifted, [stage, limbOffset(addends[i], k)], weights, degree, lift.target);
    } else {
      kernels.liftDigits(lifted, digits[i], degree, lift);
    }
    kernels.forwardNtt(lifted, ring.tables[index]);
    kernels.subtractMultiplyScalar(
      limbOffset(quotients[i], k),
      limbOffset(sources[i], k),
      lifted,
      lift.inverseProduct,
      degree,
      lift.target,
    );
  });
  scratch.free();
  return quotients;
}

/** {@link divideEachRoundByLast} of polynomials in coefficient form, which takes no transform. */
export function divideCoefficientsRoundByLast(
  sources: readonly Polynomial<"coefficient">[],
  count: number,
): Polynomial<"coefficient">[] {
  const [{ ring, basis }] = sources;
  const { kernels, degree, parallel } = ring;
  const kept = basis.slice(0, basis.length - count);
  const dropped = basis.slice(basis.length - count);
  const quotients = sources.map(() => allocatePolynomial(ring, kept, "coefficient"));
  const scratch = ring.heap.allocate(sources.length * (count + 1) * degree);
  const digits = sources.map((_, i) => dropped.map((_, j) => scratch.offset + (i * (count + 1) + j) * degree));
  for (const [i, source] of sources.entries()) {
    const first = limbOffset(source, kept.length);
    ring.heap.words.copyWithin(digits[i][0], first, first + count * degree);
  }
  if (count > 1) {
    parallel(sources.length, (i) => toMixedRadix(ring, digits[i], dropped, degree, digits[i][0] + count * degree));
  }
  parallel(sources.length * kept.length, (task) => {
    const i = Math.floor(task / kept.length);
    const k = task % kept.length;
    const lift = ring.lift(dropped, kept[k]);
    const out = limbOffset(quotients[i], k);
    kernels.liftDigits(out, digits[i], degree, lift);
    kernels.subtractMultiplyScalar(out, limbOffset(sources[i], k), out, lift.inverseProduct, degree, lift.target);
  });
  scratch.free();
  return quotients;
}

/** -D modulo a prime. */
function negativeProduct({ moduli }: Ring, dropped: Basis, index: number): number {
  const field = moduli[index];
  const product = dropped.reduce((d, each) => multiplyMod(d, moduli[each].value % field.value, field), 1);
  return product === 0 ? 0 : field.value - product;
}

/** {@link divideEachRoundByLast} of one polynomial. */
export function divideRoundByLast(a: Polynomial<"ntt">, count: number): Polynomial<"ntt"> {
  return divideEachRoundByLast([a], count)[0];
}
