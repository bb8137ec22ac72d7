/** CKKS ciphertexts: RLWE ciphertexts with the scale of their message. */

import type { Polynomial } from "../math/index.ts";
import type { Ciphertext } from "../rlwe/index.ts";

export interface CkksCiphertext extends Ciphertext {
  /** Slots are the decrypted polynomial's, divided by this. */
  readonly scale: number;
}

/** P times a ciphertext, over the primes of its level and the special ones: the result of a rotation before its division by P. */
export interface RaisedCiphertext {
  readonly raised: true;
  readonly components: readonly [Polynomial<"ntt">, Polynomial<"ntt">];
  readonly level: number;
  readonly scale: number;
}
