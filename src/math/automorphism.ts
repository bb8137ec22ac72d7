/** Automorphisms X -> X^g of the ring, as permutations of NTT values. */

import { reverseBits } from "./ntt-table.ts";
import { allocatePolynomial, limbOffset, type Polynomial } from "./polynomial.ts";

/**
 * The permutation that maps the NTT values of a(X) to those of a(X^g): value i is a at root^(2 reverseBits(i) + 1), so it becomes
 * a at that root's g-th power.
 *
 * @param element g, odd, in [1, 2N).
 */
export function automorphismPermutation(ringDegree: number, element: number): Int32Array {
  if (!Number.isInteger(element) || element % 2 !== 1 || element < 1 || element >= 2 * ringDegree) {
    throw new RangeError(`a Galois element must be odd and in [1, ${2 * ringDegree}), got ${element}`);
  }
  const bits = Math.log2(ringDegree);
  const permutation = new Int32Array(ringDegree);
  for (let i = 0; i < ringDegree; i++) {
    const exponent = ((2 * reverseBits(i, bits) + 1) * element) % (2 * ringDegree);
    permutation[i] = reverseBits((exponent - 1) / 2, bits);
  }
  return permutation;
}

/** a(X^g) for each of several polynomials over one basis, given the permutation of g. */
export function applyAutomorphisms(
  sources: readonly Polynomial<"ntt">[],
  permutation: Int32Array,
): Polynomial<"ntt">[] {
  const [{ ring, basis }] = sources;
  const images = sources.map(() => allocatePolynomial(ring, basis, "ntt"));
  ring.parallel(sources.length * basis.length, (task) => {
    const i = Math.floor(task / basis.length);
    const k = task % basis.length;
    ring.kernels.permute(limbOffset(images[i], k), limbOffset(sources[i], k), permutation);
  });
  return images;
}

/** {@link applyAutomorphisms} of one polynomial. */
export function applyAutomorphism(source: Polynomial<"ntt">, permutation: Int32Array): Polynomial<"ntt"> {
  return applyAutomorphisms([source], permutation)[0];
}
