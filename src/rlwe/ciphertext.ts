/** RLWE ciphertexts: c_0 + c_1 s + … + c_d s^d = message + noise modulo q_0 … q_level. */

import {
  addPolynomials,
  copyPolynomial,
  type Domain,
  negatePolynomial,
  type Polynomial,
  subtractPolynomials,
} from "../math/index.ts";
import type { RlweContext } from "./parameters.ts";

export interface Ciphertext<D extends Domain = "ntt"> {
  readonly context: RlweContext;
  /** c_0, c_1 and more after a product that was not relinearized; all in one domain, basis 0 … level. */
  readonly components: readonly Polynomial<D>[];
  readonly level: number;
  /** Where component 1 of a fresh symmetric encryption comes from; on the wire it stands for the whole polynomial. */
  readonly seed?: Uint8Array;
}

/** The label of component 1 in the expansion of a ciphertext's seed. */
export const CIPHERTEXT_SEED_LABEL = 0;

/** Gives the ciphertext's memory back at once, instead of when it is garbage collected. It must not be used any more. */
export function freeCiphertext(ciphertext: Ciphertext<Domain>): void {
  for (const component of ciphertext.components) component.block.free();
}

/** Componentwise sum; the longer operand's further components are copied. Same context and level. */
export function addComponents<D extends Domain>(left: Ciphertext<D>, right: Ciphertext<D>): Polynomial<D>[] {
  return zipComponents(left, right, addPolynomials, copyPolynomial);
}

/** Componentwise difference; as {@link addComponents}. */
export function subtractComponents<D extends Domain>(left: Ciphertext<D>, right: Ciphertext<D>): Polynomial<D>[] {
  return zipComponents(left, right, subtractPolynomials, negatePolynomial);
}

function zipComponents<D extends Domain>(
  left: Ciphertext<D>,
  right: Ciphertext<D>,
  both: (l: Polynomial<D>, r: Polynomial<D>) => Polynomial<D>,
  onlyRight: (r: Polynomial<D>) => Polynomial<D>,
): Polynomial<D>[] {
  const length = Math.max(left.components.length, right.components.length);
  return Array.from({ length }, (_, i) => {
    const [l, r] = [left.components[i], right.components[i]];
    if (l && r) return both(l, r);
    return l ? copyPolynomial(l) : onlyRight(r);
  });
}
