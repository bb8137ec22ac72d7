/**
 * Hybrid key switching (Han and Ki, "Better Bootstrapping for Approximate Homomorphic Encryption", CT-RSA 2020, section 3): a
 * polynomial is cut into digits of alpha primes, each is lifted to all primes and the special ones, multiplied by its part of the key,
 * and the sum is divided by P with rounding.
 *
 * Hoisting (Halevi and Shoup, CRYPTO 2018): the digits do not depend on the key, so one decomposition serves many rotations.
 */

import {
  addInPlace,
  allocatePolynomial,
  applyAutomorphism,
  copyPolynomial,
  divideRoundByLast,
  dotProduct,
  liftLimb,
  limbOffset,
  type Polynomial,
  scaleForConversion,
  toCoefficients,
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
  const level = polynomial.basis.length - 1;
  const coefficients = toCoefficients(copyPolynomial(polynomial));
  const digits = context.digits(level).map((primes) => {
    const digit = allocatePolynomial(ring, context.keyBasis(level), "ntt");
    const scaled = primes.map((index) => limbOffset(coefficients, index));
    scaleForConversion(ring, scaled, primes);
    for (const [k, target] of digit.basis.entries()) {
      const limb = limbOffset(digit, k);
      if (primes.includes(target)) {
        // Modulo its own primes a digit is the polynomial itself, whose NTT values are at hand.
        const own = limbOffset(polynomial, target);
        ring.heap.words.copyWithin(limb, own, own + ring.degree);
      } else {
        liftLimb(ring, scaled, primes, target, limb);
        ring.kernels.forwardNtt(limb, ring.tables[target]);
      }
    }
    return digit;
  });
  coefficients.block.free();
  return { level, digits };
}

/** Gives a decomposition's memory back. */
export function freeDecomposition({ digits }: Decomposition): void {
  for (const digit of digits) digit.block.free();
}

/**
 * The two polynomials (u_0, u_1) over `dataBasis(level)` with u_0 + u_1 s_out = (decomposed polynomial) * s_in + noise.
 * The key's level must be at least that of the decomposition.
 */
export function switchKey(
  context: RlweContext,
  { level, digits }: Decomposition,
  key: KeySwitchingKey,
): [Polynomial<"ntt">, Polynomial<"ntt">] {
  const basis = context.keyBasis(level);
  // The special primes' limbs stand behind those of the key's own level.
  const keyLimb = (k: number): number => (k <= level ? k : k + key.level - level);
  const parts = key.digits.slice(0, digits.length);
  const half = (side: "b" | "a"): Polynomial<"ntt"> => {
    const product = dotProduct(
      basis,
      digits,
      parts.map((part) => part[side]),
      keyLimb,
    );
    const divided = divideRoundByLast(product, context.alpha);
    product.block.free();
    return divided;
  };
  return [half("b"), half("a")];
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
  const permutation = context.permutation(element);
  const image: [Polynomial<"ntt">, Polynomial<"ntt">] = [
    applyAutomorphism(u0, permutation),
    applyAutomorphism(u1, permutation),
  ];
  u0.block.free();
  u1.block.free();
  return image;
}
