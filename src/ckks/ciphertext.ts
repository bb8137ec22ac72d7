/** CKKS ciphertexts: RLWE ciphertexts with the scale of their message. */

import type { Ciphertext } from "../rlwe/index.ts";

export interface CkksCiphertext extends Ciphertext {
  /** Slots are the decrypted polynomial's, divided by this. */
  readonly scale: number;
}
