/** Encryption under a public key. */

import {
  addInPlace,
  addPolynomials,
  copyPolynomial,
  divideRoundByLast,
  fromSigned,
  multiplyPolynomials,
  type Polynomial,
  type RandomSource,
  sampleError,
  sampleTernary,
  systemRandom,
  toNtt,
} from "../math/index.ts";
import type { Ciphertext } from "./ciphertext.ts";
import type { PublicKey } from "./keys.ts";
import type { RlweContext } from "./parameters.ts";

/**
 * Encrypts a plaintext polynomial at its level.
 *
 * Zero is encrypted modulo QP and divided by P before the message is added: the noise is then that of one rounding (sigma about 22 at
 * N = 8192) and not of the products with the key (343). Without special primes P is 1, and those products stay.
 */
export function encryptWithPublicKey(
  context: RlweContext,
  message: Polynomial<"ntt">,
  key: PublicKey,
  random: RandomSource = systemRandom,
): Ciphertext {
  const { ring, maxLevel } = context;
  const level = message.basis.length - 1;
  const basis = context.keyBasis(maxLevel);
  const mask = toNtt(fromSigned(ring, basis, sampleTernary(ring.degree, random)));
  const components = [key.b, key.a].map((half) => {
    const product = multiplyPolynomials(mask, half);
    const error = toNtt(fromSigned(ring, basis, sampleError(ring.degree, random)));
    addInPlace(product, error);
    error.block.free();
    const divided = context.alpha > 0 ? divideRoundByLast(product, context.alpha) : copyPolynomial(product);
    product.block.free();
    const restricted = copyPolynomial(divided, level + 1);
    divided.block.free();
    return restricted;
  });
  mask.block.free();
  const c0 = addPolynomials(components[0], message);
  components[0].block.free();
  return { context, components: [c0, components[1]], level };
}
