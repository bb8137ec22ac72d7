/** Public key material: all that a server may hold. */

import type { Polynomial } from "../math/index.ts";

/** An encryption of zero under the secret key, modulo QP: (b, a) with b + a s = e. */
export interface PublicKey {
  readonly b: Polynomial<"ntt">;
  readonly a: Polynomial<"ntt">;
  /** Where `a` comes from. */
  readonly seed: Uint8Array;
}

/**
 * Turns ciphertext parts under one secret into ciphertexts under another: for each digit d a pair (b, a) modulo QP with
 * b + a s_out = e + P g_d s_in, where the gadget g_d is 1 modulo the primes of digit d and 0 modulo the others (Han and Ki,
 * CT-RSA 2020). Because of that, a key for some level serves every level below it.
 */
export interface KeySwitchingKey {
  /** Highest level at which the key can be used; its polynomials have the limbs of `keyBasis(level)`. */
  readonly level: number;
  readonly digits: readonly { readonly b: Polynomial<"ntt">; readonly a: Polynomial<"ntt"> }[];
  /** Where the `a` polynomials come from; the label is the digit's index. */
  readonly seed: Uint8Array;
}

/** The keys that an evaluator works with. */
export interface EvaluationKeys {
  /** Switches s^2 to s, for products of two ciphertexts. */
  readonly relinearization: KeySwitchingKey | undefined;
  /** By Galois element g: switches s to the image of s under X -> X^(1/g). */
  readonly galois: ReadonlyMap<number, KeySwitchingKey>;
}

/** The label of `a` in the expansion of a public key's seed. */
export const PUBLIC_KEY_SEED_LABEL = 0;
