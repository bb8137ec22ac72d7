/** Making public and evaluation keys from a secret key. */

import {
  applyAutomorphism,
  dotProduct,
  expandUniform,
  fromSigned,
  limbOffset,
  multiplyMod,
  type Polynomial,
  type RandomSource,
  type Ring,
  randomSeed,
  sampleError,
  subtractInPlace,
  systemRandom,
  toNtt,
} from "../math/index.ts";
import {
  inverseElement,
  type KeySwitchingKey,
  PUBLIC_KEY_SEED_LABEL,
  type PublicKey,
  type RlweContext,
} from "../rlwe/index.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/** e - a s: the masked half of an encryption of zero, for a uniform `a` over the limbs of `keyBasis(level)`. */
export function maskedError(
  context: RlweContext,
  a: Polynomial<"ntt">,
  secret: Polynomial<"ntt">,
  random: RandomSource,
): Polynomial<"ntt"> {
  const { ring, maxLevel } = context;
  const level = a.basis.length - context.alpha - 1;
  const b = toNtt(fromSigned(ring, a.basis, sampleError(ring.degree, random)));
  const product = dotProduct(a.basis, [a], [secret], (k) => (k <= level ? k : k + maxLevel - level));
  subtractInPlace(b, product);
  wipePolynomial(product);
  return b;
}

/** A public key over all primes. */
export function generatePublicKey(secret: SecretKey, random: RandomSource = systemRandom): PublicKey {
  const { context } = secret;
  const seed = randomSeed(random);
  const a = expandUniform(context.ring, context.keyBasis(context.maxLevel), seed, PUBLIC_KEY_SEED_LABEL);
  return { a, b: maskedError(context, a, secret.polynomial, random), seed };
}

/** The key that turns s^2 into s, for ciphertexts up to `level`. */
export function generateRelinearizationKey(
  secret: SecretKey,
  level: number,
  random: RandomSource = systemRandom,
): KeySwitchingKey {
  return generateSwitchingKey(secret.context, secret.power(2), secret.polynomial, level, random);
}

/** The key for X -> X^element, for ciphertexts up to `level`: from s to the secret that the automorphism will turn into s. */
export function generateGaloisKey(
  secret: SecretKey,
  element: number,
  level: number,
  random: RandomSource = systemRandom,
): KeySwitchingKey {
  const { context, polynomial } = secret;
  const permutation = context.permutation(inverseElement(context.ring.degree, element));
  const output = applyAutomorphism(polynomial, permutation);
  const key = generateSwitchingKey(context, polynomial, output, level, random);
  wipePolynomial(output);
  return key;
}

function generateSwitchingKey(
  context: RlweContext,
  input: Polynomial<"ntt">,
  output: Polynomial<"ntt">,
  level: number,
  random: RandomSource,
): KeySwitchingKey {
  const seed = randomSeed(random);
  const digits = context.digits(level).map((primes, label) => {
    const a = expandUniform(context.ring, context.keyBasis(level), seed, label);
    const b = maskedError(context, a, output, random);
    addGadgetMultiple(context, b, input, primes);
    return { b, a };
  });
  return { level, digits, seed };
}

/** b += P g_d s_in: the gadget g_d is 1 modulo the digit's own primes and 0 elsewhere, so only those limbs change. */
function addGadgetMultiple(
  { ring, parameters }: RlweContext,
  b: Polynomial<"ntt">,
  input: Polynomial<"ntt">,
  primes: readonly number[],
): void {
  const scratch = ring.heap.allocate(ring.degree);
  for (const index of primes) {
    const limb = limbOffset(b, index);
    const product = productModulo(ring, index, parameters.specialPrimes);
    ring.kernels.multiplyScalar(scratch.offset, limbOffset(input, index), product, ring.degree, ring.moduli[index]!);
    ring.kernels.add(limb, limb, scratch.offset, ring.degree, ring.moduli[index]!);
  }
  ring.heap.words.fill(0, scratch.offset, scratch.offset + ring.degree);
  scratch.free();
}

function productModulo(ring: Ring, index: number, factors: readonly number[]): number {
  const field = ring.moduli[index]!;
  return factors.reduce((product, factor) => multiplyMod(product, factor % field.value, field), 1);
}
