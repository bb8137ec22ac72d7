/** RLWE ciphertexts: c_0 + c_1 s + … + c_d s^d = message + noise modulo q_0 … q_level. */

import {
  addPolynomials,
  copyPolynomial,
  negatePolynomial,
  type Polynomial,
  subtractPolynomials,
} from "../math/index.ts";
import type { RlweContext } from "./parameters.ts";

export interface Ciphertext {
  readonly context: RlweContext;
  /** c_0, c_1 and more after a product that was not relinearized; NTT domain, basis 0 … level. */
  readonly components: readonly Polynomial<"ntt">[];
  readonly level: number;
  /** Where component 1 of a fresh symmetric encryption comes from; on the wire it stands for the whole polynomial. */
  readonly seed?: Uint8Array;
}

/** The label of component 1 in the expansion of a ciphertext's seed. */
export const CIPHERTEXT_SEED_LABEL = 0;

/** Gives the ciphertext's memory back at once, instead of when it is garbage collected. It must not be used any more. */
export function freeCiphertext(ciphertext: Ciphertext): void {
  for (const component of ciphertext.components) component.block.free();
}

/** Componentwise sum; the longer operand's further components are copied. Same context and level. */
export function addComponents(left: Ciphertext, right: Ciphertext): Polynomial<"ntt">[] {
  return zipComponents(left, right, addPolynomials, copyPolynomial);
}

/** Componentwise difference; as {@link addComponents}. */
export function subtractComponents(left: Ciphertext, right: Ciphertext): Polynomial<"ntt">[] {
  return zipComponents(left, right, subtractPolynomials, negatePolynomial);
}

function zipComponents(
  left: Ciphertext,
  right: Ciphertext,
  both: (l: Polynomial<"ntt">, r: Polynomial<"ntt">) => Polynomial<"ntt">,
  onlyRight: (r: Polynomial<"ntt">) => Polynomial<"ntt">,
): Polynomial<"ntt">[] {
  const length = Math.max(left.components.length, right.components.length);
  return Array.from({ length }, (_, i) => {
    const [l, r] = [left.components[i], right.components[i]];
    if (l && r) return both(l, r);
    return l ? copyPolynomial(l) : onlyRight(r);
  });
}
