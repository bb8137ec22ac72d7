/**
 * Hybrid key switching (Han and Ki, "Better Bootstrapping for Approximate Homomorphic Encryption", CT-RSA 2020, section 3): a
 * polynomial is cut into digits of a few primes, each is lifted to all primes and the special ones, multiplied by its part of the key,
 * and the sum is divided by P with rounding.
 *
 * Hoisting (Halevi and Shoup, CRYPTO 2018): the digits do not depend on the key, so one decomposition serves many rotations.
 */

import {
  addInPlace,
  allocatePolynomial,
  applyAutomorphisms,
  copyPolynomial,
  divideEachRoundByLast,
  dotProducts,
  liftLimb,
  limbOffset,
  multiplyMod,
  type Polynomial,
  scaleLimbForConversion,
  zeroPolynomial,
} from "../math/index.ts";
import type { KeySwitchingKey } from "./keys.ts";
import type { RlweContext } from "./parameters.ts";

/** A polynomial cut into digits, each lifted to `keyBasis(level)`; NTT domain. */
export interface Decomposition {
  readonly level: number;
  readonly digits: readonly Polynomial<"ntt">[];
}

/** Cuts a polynomial over `dataBasis(level)` into digits. The lifts are centred. */
export function decompose(context: RlweContext, polynomial: Polynomial<"ntt">): Decomposition {
  const { ring } = context;
  const { kernels, degree, parallel } = ring;
  const level = polynomial.basis.length - 1;
  const basis = context.keyBasis(level);
  const primes = context.digits(level);
  const coefficients = copyPolynomial(polynomial);
  parallel(level + 1, (index) => {
    const limb = limbOffset(coefficients, index);
    kernels.inverseNtt(limb, ring.tables[index]);
    const own = primes[Math.floor(index / context.digitPrimes)];
    scaleLimbForConversion(ring, limb, own, index % context.digitPrimes);
  });
  const digits = primes.map(() => allocatePolynomial(ring, basis, "ntt"));
  const scaled = primes.map((own) => own.map((index) => limbOffset(coefficients, index)));
  for (const [d, own] of primes.entries()) {
    // Modulo its own primes a digit is the polynomial itself, whose NTT values are at hand; they stand together.
    const from = limbOffset(polynomial, own[0]);
    ring.heap.words.copyWithin(limbOffset(digits[d], own[0]), from, from + own.length * degree);
  }
  parallel(digits.length * basis.length, (task) => {
    const d = Math.floor(task / basis.length);
    const k = task % basis.length;
    if (primes[d].includes(basis[k])) return;
    const limb = limbOffset(digits[d], k);
    liftLimb(ring, scaled[d], primes[d], basis[k], limb);
    kernels.forwardNtt(limb, ring.tables[basis[k]]);
  });
  coefficients.block.free();
  return { level, digits };
}

/** Gives a decomposition's memory back. */
export function freeDecomposition({ digits }: Decomposition): void {
  for (const digit of digits) digit.block.free();
}

/** The two sums of products of digits with a key's halves, over `keyBasis(level)`: P times what the switch yields. */
export function multiplyByKey(
  context: RlweContext,
  { level, digits }: Decomposition,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const basis = context.keyBasis(level);
  // The special primes' limbs stand behind those of the key's own level.
  const keyLimb = (k: number): number => (k <= level ? k : k + key.level - level);
  const parts = key.digits.slice(0, digits.length);
  const [b, a] = dotProducts(
    basis,
    (["b", "a"] as const).map((side) => ({ lefts: digits, rights: parts.map((part) => part[side]) })),
    keyLimb,
  );
  return [b, a];
}

/**
 * The two polynomials (u_0, u_1) over `dataBasis(level)` with u_0 + u_1 s_out = (decomposed polynomial) * s_in + noise.
 * The key's level must be at least that of the decomposition.
 */
export function switchKey(
  context: RlweContext,
  decomposed: Decomposition,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const raised = multiplyByKey(context, decomposed, key);
  const [u0, u1] = divideEachRoundByLast(raised, context.alpha);
  for (const { block } of raised) block.free();
  return [u0, u1];
}

/** P * a over `keyBasis(level)`: the special primes' limbs are zero. */
export function raise(context: RlweContext, polynomial: Polynomial<"ntt">): Polynomial<"ntt"> {
  const { ring, parameters } = context;
  const level = polynomial.basis.length - 1;
  const raised = zeroPolynomial(ring, context.keyBasis(level), "ntt");
  for (const [k, index] of polynomial.basis.entries()) {
    const field = ring.moduli[index];
    const product = parameters.specialPrimes.reduce((p, prime) => multiplyMod(p, prime % field.value, field), 1);
    ring.kernels.multiplyScalar(limbOffset(raised, k), limbOffset(polynomial, k), product, ring.degree, field);
  }
  return raised;
}

/**
 * The image of (c_0, c_1) under X -> X^element, under the same secret key.
 *
 * The key switches to the secret that the automorphism will turn into s, so that the permutation comes last and on two polynomials
 * only.
 */
export function applyGalois(
  context: RlweContext,
  c0: Polynomial<"ntt">,
  decomposed: Decomposition,
  element: number,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const [u0, u1] = switchKey(context, decomposed, key);
  addInPlace(u0, c0);
  return permuteBoth(context, u0, u1, element);
}

/**
 * P times the image of (c_0, c_1), over `keyBasis(level)`, not yet divided: sums of such images with plaintext weights need one division
 * in all (double hoisting: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 *
 * @param raisedC0 P * c_0, as {@link raise} makes it.
 */
export function applyGaloisRaised(
  context: RlweContext,
  raisedC0: Polynomial<"ntt">,
  decomposed: Decomposition,
  element: number,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const [u0, u1] = multiplyByKey(context, decomposed, key);
  addInPlace(u0, raisedC0);
  return permuteBoth(context, u0, u1, element);
}

/** Both polynomials under X -> X^element, freeing the originals. */
function permuteBoth(
  context: RlweContext,
  u0: Polynomial<"ntt">,
  u1: Polynomial<"ntt">,
  element: number,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const permutation = context.permutation(element);
  const [image0, image1] = applyAutomorphisms([u0, u1], permutation);
  u0.block.free();
  u1.block.free();
  return [image0, image1];
}
