/** Encryption under the secret key itself: less noise than under the public key, and half the bytes on the wire. */

import {
  type BfvCiphertext,
  type BfvContext,
  type BfvPlaintext,
  requirePlainModulus,
  scaledPlaintext,
} from "../bfv/index.ts";
import type { CkksCiphertext, Plaintext } from "../ckks/index.ts";
import {
  addInPlace,
  expandUniform,
  fromSigned,
  multiplyPolynomials,
  type Polynomial,
  type RandomSource,
  randomSeed,
  sampleError,
  subtractInPlace,
  systemRandom,
  toNtt,
} from "../math/index.ts";
import { CIPHERTEXT_SEED_LABEL, type Ciphertext } from "../rlwe/index.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/** (m + e - a s, a), where `a` is expanded from a fresh seed that the ciphertext carries. */
export function encryptSymmetric(
  secret: SecretKey,
  plaintext: Plaintext,
  random: RandomSource = systemRandom,
): CkksCiphertext {
  return { ...encryptPolynomial(secret, plaintext.polynomial, plaintext.level, random), scale: plaintext.scale };
}

/** As {@link encryptSymmetric}, of a BFV plaintext at a level, the top one by default. */
export function encryptBfvSymmetric(
  secret: SecretKey<BfvContext>,
  plaintext: BfvPlaintext,
  { random = systemRandom, level = secret.context.maxLevel }: { random?: RandomSource; level?: number } = {},
): BfvCiphertext<"ntt"> {
  const { context } = secret;
  requirePlainModulus("encrypt", context, plaintext);
  const message = toNtt(scaledPlaintext(context, plaintext, level));
  const ciphertext = encryptPolynomial(secret, message, level, random);
  wipePolynomial(message);
  return { ...ciphertext, context };
}

function encryptPolynomial(
  secret: SecretKey,
  message: Polynomial<"ntt">,
  level: number,
  random: RandomSource,
): Ciphertext & { readonly seed: Uint8Array } {
  const { context } = secret;
  const basis = context.dataBasis(level);
  const seed = randomSeed(random);
  const a = expandUniform(context.ring, basis, seed, CIPHERTEXT_SEED_LABEL);
  const b = toNtt(fromSigned(context.ring, basis, sampleError(context.ring.degree, random)));
  addInPlace(b, message);
  const product = multiplyPolynomials(a, secret.polynomial);
  subtractInPlace(b, product);
  wipePolynomial(product);
  return { context, components: [b, a], level, seed };
}
