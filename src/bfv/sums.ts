/** Sums of many products in one pass over the limbs: what a layer of a network is made of. */

import {
  addInPlace,
  allocatePolynomial,
  type Domain,
  dotProducts,
  limbOffset,
  MAX_DOT_PRODUCT_TERMS,
  type Polynomial,
} from "../math/index.ts";
import type { BfvCiphertext } from "./ciphertext.ts";
import { toCentred } from "./digits.ts";
import type { BfvContext } from "./parameters.ts";
import type { BfvFactor } from "./plaintext.ts";

/** An integer's residues modulo primes, of its representative modulo t next to 0: what makes for the least noise. */
export function integerResidues({ plainModulus: t, ring }: BfvContext, value: number, level: number): number[] {
  const centred = toCentred(((value % t) + t) % t, t);
  return Array.from({ length: level + 1 }, (_, index) => {
    const { value: p } = ring.moduli[index]!;
    return ((centred % p) + p) % p;
  });
}

/** Sum of ciphertexts times integers, component by component; all of one level, domain and number of components. */
export function sumOfMultiples<D extends Domain>(
  context: BfvContext,
  ciphertexts: readonly BfvCiphertext<D>[],
  weights: readonly number[],
): Polynomial<D>[] {
  const { ring } = context;
  const { components, level } = ciphertexts[0]!;
  const count = Math.min(ciphertexts.length, MAX_DOT_PRODUCT_TERMS);
  const residues = weights.slice(0, count).map((weight) => integerResidues(context, weight, level));
  const byPrime = Array.from({ length: level + 1 }, (_, k) => Int32Array.from(residues, (each) => each[k]!));
  const sums = components.map(({ basis, domain }) => allocatePolynomial(ring, basis, domain));
  ring.parallel(sums.length * (level + 1), (task) => {
    const i = Math.floor(task / (level + 1));
    const k = task % (level + 1);
    const limbs = ciphertexts.slice(0, count).map((each) => limbOffset(each.components[i]!, k));
    ring.kernels.combineLimbs(limbOffset(sums[i]!, k), limbs, byPrime[k]!, ring.degree, ring.moduli[k]!);
  });
  if (ciphertexts.length > count) {
    const rest = sumOfMultiples(context, ciphertexts.slice(count), weights.slice(count));
    for (const [i, each] of rest.entries()) {
      addInPlace(sums[i]!, each);
      each.block.free();
    }
  }
  return sums;
}

/** Sum of ciphertexts times plaintexts; as above. */
export function sumOfProducts(
  ciphertexts: readonly BfvCiphertext<"ntt">[],
  factors: readonly BfvFactor[],
): Polynomial<"ntt">[] {
  const { components } = ciphertexts[0]!;
  const rights = factors.map(({ polynomial }) => polynomial);
  return dotProducts(
    components[0]!.basis,
    components.map((_, i) => ({ lefts: ciphertexts.map((each) => each.components[i]!), rights })),
  );
}
