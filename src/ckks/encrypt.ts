/** Encrypting CKKS plaintexts under a public key. */

import { type RandomSource, systemRandom } from "../math/index.ts";
import { encryptWithPublicKey, type PublicKey, type RlweContext } from "../rlwe/index.ts";
import type { CkksCiphertext } from "./ciphertext.ts";
import type { Plaintext } from "./encoder.ts";

/** Encrypts a plaintext at its level and scale. */
export function encryptPublic(
  context: RlweContext,
  plaintext: Plaintext,
  key: PublicKey,
  random: RandomSource = systemRandom,
): CkksCiphertext {
  return { ...encryptWithPublicKey(context, plaintext.polynomial, key, random), scale: plaintext.scale };
}
