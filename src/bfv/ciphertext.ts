/** BFV ciphertexts: c_0 + c_1 s + … + c_d s^d = (Q/t) m + noise modulo Q = q_0 … q_level. */

import {
  copyPolynomial,
  type Domain,
  type Polynomial,
  toCoefficients as toCoefficientsInPlace,
  toNtt as toNttInPlace,
} from "../math/index.ts";
import type { Ciphertext } from "../rlwe/index.ts";
import type { BfvContext } from "./parameters.ts";

/**
 * Fresh ciphertexts and results of key switching are in NTT form, products of two ciphertexts in coefficient form: they are scaled there,
 * and relinearization takes them so.
 */
export interface BfvCiphertext<D extends Domain = Domain> extends Ciphertext<D> {
  readonly context: BfvContext;
}

/** A plaintext: a polynomial modulo t. */
export interface BfvPlaintext {
  /** N coefficients in [0, t), lowest power first. */
  readonly coefficients: Int32Array;
  /** t. */
  readonly plainModulus: number;
}

/** The domain of a ciphertext's components. */
export function domainOf<D extends Domain>({ components }: BfvCiphertext<D>): D {
  return (components[0] as Polynomial<D>).domain;
}

/** A polynomial's NTT form in memory of its own. */
export function nttCopy(source: Polynomial): Polynomial<"ntt"> {
  const copy = copyPolynomial(source);
  return copy.domain === "ntt" ? (copy as Polynomial<"ntt">) : toNttInPlace(copy as Polynomial<"coefficient">);
}

/** A polynomial's coefficient form in memory of its own. */
export function coefficientCopy(source: Polynomial): Polynomial<"coefficient"> {
  const copy = copyPolynomial(source);
  return copy.domain === "coefficient"
    ? (copy as Polynomial<"coefficient">)
    : toCoefficientsInPlace(copy as Polynomial<"ntt">);
}
