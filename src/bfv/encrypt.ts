/** Encrypting BFV plaintexts under a public key. */

import { type RandomSource, systemRandom, toNtt } from "../math/index.ts";
import { encryptWithPublicKey, type PublicKey } from "../rlwe/index.ts";
import type { BfvCiphertext, BfvPlaintext } from "./ciphertext.ts";
import { requirePlainModulus } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";
import { scaledPlaintext } from "./plaintext.ts";

/**
 * Encrypts a plaintext at a level, the top one by default.
 *
 * @throws CrcnnError FOREIGN_OBJECT for a plaintext with another modulus.
 */
export function encryptBfv(
  context: BfvContext,
  plaintext: BfvPlaintext,
  key: PublicKey,
  { random = systemRandom, level = context.maxLevel }: { random?: RandomSource; level?: number } = {},
): BfvCiphertext<"ntt"> {
  requirePlainModulus("encrypt", context, plaintext);
  const message = toNtt(scaledPlaintext(context, plaintext, level));
  try {
    return { ...encryptWithPublicKey(context, message, key, random), context };
  } finally {
    message.ring.heap.words.fill(0, message.block.offset, message.block.offset + message.block.length);
    message.block.free();
  }
}
