/** Encryption under the secret key itself: less noise than under the public key, and half the bytes on the wire. */

import type { CkksCiphertext, Plaintext } from "../ckks/index.ts";
import {
  addInPlace,
  expandUniform,
  fromSigned,
  multiplyPolynomials,
  type RandomSource,
  randomSeed,
  sampleError,
  subtractInPlace,
  systemRandom,
  toNtt,
} from "../math/index.ts";
import { CIPHERTEXT_SEED_LABEL } from "../rlwe/index.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/** (m + e - a s, a), where `a` is expanded from a fresh seed that the ciphertext carries. */
export function encryptSymmetric(
  secret: SecretKey,
  plaintext: Plaintext,
  random: RandomSource = systemRandom,
): CkksCiphertext {
  const { context } = secret;
  const basis = context.dataBasis(plaintext.level);
  const seed = randomSeed(random);
  const a = expandUniform(context.ring, basis, seed, CIPHERTEXT_SEED_LABEL);
  const b = toNtt(fromSigned(context.ring, basis, sampleError(context.ring.degree, random)));
  addInPlace(b, plaintext.polynomial);
  const product = multiplyPolynomials(a, secret.polynomial);
  subtractInPlace(b, product);
  wipePolynomial(product);
  return { context, components: [b, a], level: plaintext.level, scale: plaintext.scale, seed };
}
