/**
 * Hybrid key switching (Han and Ki, "Better Bootstrapping for Approximate Homomorphic Encryption", CT-RSA 2020, section 3): a
 * polynomial is cut into digits of a few primes, each is lifted to all primes and the special ones, multiplied by its part of the key,
 * and the sum is divided by P with rounding.
 *
 * Hoisting (Halevi and Shoup, CRYPTO 2018): the digits do not depend on the key, so one decomposition serves many rotations.
 */

import {
  allocatePolynomial,
  copyPolynomial,
  divideEachRoundByLast,
  limbOffset,
  multiplyMod,
  type Pair,
  type Polynomial,
  toCoefficients,
  toMixedRadix,
  zeroPolynomial,
} from "../math/index.ts";
import type { KeySwitchingKey } from "./keys.ts";
import type { RlweContext } from "./parameters.ts";

/** A polynomial cut into digits, each lifted to `keyBasis(level)`; NTT domain. */
export interface Decomposition {
  readonly level: number;
  readonly digits: readonly Polynomial<"ntt">[];
}

/**
 * Cuts a polynomial over `dataBasis(level)` into digits. The lifts are centred.
 *
 * @param known The same polynomial in coefficient form, where that is at hand.
 */
export function decompose(
  context: RlweContext,
  polynomial: Polynomial<"ntt">,
  known?: Polynomial<"coefficient">,
): Decomposition {
  const { ring } = context;
  const { kernels, degree, parallel } = ring;
  const level = polynomial.basis.length - 1;
  const basis = context.keyBasis(level);
  const primes = context.digits(level);
  const coefficients = known ? copyPolynomial(known) : toCoefficients(copyPolynomial(polynomial));
  const digits = primes.map(() => allocatePolynomial(ring, basis, "ntt"));
  const limbs = primes.map((own) => own.map((index) => limbOffset(coefficients, index)));
  if (context.digitPrimes > 1) {
    // A special prime's limb of a digit is not written yet, so it is free for now.
    parallel(primes.length, (d) => toMixedRadix(ring, limbs[d], primes[d], degree, limbOffset(digits[d], level + 1)));
  }
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
    kernels.liftDigits(limb, limbs[d], degree, ring.lift(primes[d], basis[k]));
    kernels.forwardNtt(limb, ring.tables[basis[k]]);
  });
  coefficients.block.free();
  return { level, digits };
}

/** Gives a decomposition's memory back. */
export function freeDecomposition({ digits }: Decomposition): void {
  for (const digit of digits) digit.block.free();
}

/** A product of a decomposition with a key: both halves of it. */
export interface KeyProduct {
  readonly key: KeySwitchingKey;
  /** Polynomials over `keyBasis(level)` to be added to the halves. */
  readonly addends: Pair<Polynomial<"ntt"> | undefined>;
  /** An automorphism that is applied last. */
  readonly permutation?: Int32Array | undefined;
}

/** One limb of both halves of a key product, to limbs somewhere; a kernel call, for use in a parallel-for. */
export function multiplyLimbByKey(
  { ring, keyBasis }: RlweContext,
  { level, digits }: Decomposition,
  { key, addends: [addend0, addend1], permutation }: KeyProduct,
  k: number,
  outs: Pair<number>,
): void {
  // The special primes' limbs stand behind those of the key's own level.
  const keyLimb = k <= level ? k : k + key.level - level;
  const halves = [
    digits.map((_, d) => limbOffset(key.digits[d].b, keyLimb)),
    digits.map((_, d) => limbOffset(key.digits[d].a, keyLimb)),
  ] as const;
  const rights = digits.map((digit) => limbOffset(digit, k));
  ring.kernels.dotProductPair(outs, halves, rights, ring.degree, ring.moduli[keyBasis(level)[k]], {
    initial: [addend0 && limbOffset(addend0, k), addend1 && limbOffset(addend1, k)],
    permutation,
  });
}

/** Products of one decomposition with several keys, over `keyBasis(level)`: P times what the switches yield. */
export function multiplyByKeys(
  context: RlweContext,
  decomposed: Decomposition,
  products: readonly KeyProduct[],
): [Polynomial<"ntt">, Polynomial<"ntt">][] {
  const { ring } = context;
  const basis = context.keyBasis(decomposed.level);
  const results = products.map((): [Polynomial<"ntt">, Polynomial<"ntt">] => [
    allocatePolynomial(ring, basis, "ntt"),
    allocatePolynomial(ring, basis, "ntt"),
  ]);
  // Limb by limb, so that the digits' limbs, which all products share, stay in the cache.
  ring.parallel(basis.length * products.length, (task) => {
    const k = Math.floor(task / products.length);
    const i = task % products.length;
    const [b, a] = results[i];
    multiplyLimbByKey(context, decomposed, products[i], k, [limbOffset(b, k), limbOffset(a, k)]);
  });
  return results;
}

/**
 * The two polynomials (u_0, u_1) over `dataBasis(level)` with u_0 + u_1 s_out = (decomposed polynomial) * s_in + noise.
 * The key's level must be at least that of the decomposition.
 *
 * @param addends What is added to u_0 and u_1; costs no transform.
 */
export function switchKey(
  context: RlweContext,
  decomposed: Decomposition,
  key: KeySwitchingKey,
  addends?: readonly [Polynomial<"coefficient">, Polynomial<"coefficient">],
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const [raised] = multiplyByKeys(context, decomposed, [{ key, addends: [undefined, undefined] }]);
  return lowerAndFree(context, raised, addends);
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

/** An automorphism X -> X^element with its key. */
export interface GaloisStep {
  readonly element: number;
  readonly key: KeySwitchingKey;
}

/**
 * The key product of an automorphism.
 *
 * The key switches to the secret that the automorphism will turn into s, so that the permutation comes last and on two polynomials
 * only.
 *
 * @param raisedC0 P * c_0, as {@link raise} makes it.
 */
export function galoisProduct(
  context: RlweContext,
  raisedC0: Polynomial<"ntt">,
  { element, key }: GaloisStep,
): KeyProduct {
  return { key, addends: [raisedC0, undefined], permutation: context.permutation(element) };
}

/** The image of (c_0, c_1) under X -> X^element, under the same secret key. */
export function applyGalois(
  context: RlweContext,
  c0: Polynomial<"ntt">,
  decomposed: Decomposition,
  element: number,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const raisedC0 = raise(context, c0);
  const [raised] = applyGaloisRaised(context, raisedC0, decomposed, [{ element, key }]);
  raisedC0.block.free();
  return lowerAndFree(context, raised);
}

/**
 * P times images of (c_0, c_1), over `keyBasis(level)`, not yet divided: sums of such images with plaintext weights need one division
 * in all (double hoisting: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 *
 * @param raisedC0 P * c_0, as {@link raise} makes it.
 */
export function applyGaloisRaised(
  context: RlweContext,
  raisedC0: Polynomial<"ntt">,
  decomposed: Decomposition,
  steps: readonly GaloisStep[],
): [Polynomial<"ntt">, Polynomial<"ntt">][] {
  return multiplyByKeys(
    context,
    decomposed,
    steps.map((step) => galoisProduct(context, raisedC0, step)),
  );
}

/** Both halves of a key product divided by P; the originals are freed. */
export function lowerAndFree(
  { alpha }: RlweContext,
  raised: readonly Polynomial<"ntt">[],
  addends?: readonly Polynomial<"coefficient">[],
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const [u0, u1] = divideEachRoundByLast(raised, alpha, addends);
  for (const { block } of raised) block.free();
  return [u0, u1];
}
