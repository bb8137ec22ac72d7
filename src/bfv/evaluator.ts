/**
 * Operations on BFV ciphertexts, with public material only. Each returns a new ciphertext. Nothing is aligned or relinearized behind the
 * caller's back; misfitting operands are errors that name the figures and the remedy.
 */

import {
  addPolynomials,
  copyPolynomial,
  type Domain,
  divideEachRoundByLast,
  multiplyPolynomials,
  negatePolynomial,
  type Polynomial,
  subtractPolynomials,
  toNtt,
} from "../math/index.ts";
import {
  addComponents,
  applyGalois,
  conjugationElement,
  type Decomposition,
  decompose,
  type EvaluationKeys,
  freeCiphertext,
  freeDecomposition,
  rotationElement,
  subtractComponents,
  switchKey,
} from "../rlwe/index.ts";
import { type BfvCiphertext, type BfvPlaintext, coefficientCopy, domainOf, nttCopy } from "./ciphertext.ts";
import { multiplyComponents } from "./multiply.ts";
import { createOperandChecks, requirePlainModulus, requireSafeInteger } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";
import { type BfvFactor, liftedPlaintext, scaledPlaintext } from "./plaintext.ts";
import { sumOfMultiples, sumOfProducts } from "./sums.ts";

export interface BfvEvaluator {
  readonly context: BfvContext;
  /** Those made so far. */
  readonly keys: EvaluationKeys;
  /** Sum; the operands may have different numbers of components, but one domain. */
  add<D extends Domain>(left: BfvCiphertext<D>, right: BfvCiphertext<D>): BfvCiphertext<D>;
  /** Difference; as {@link add}. */
  subtract<D extends Domain>(left: BfvCiphertext<D>, right: BfvCiphertext<D>): BfvCiphertext<D>;
  negate<D extends Domain>(ciphertext: BfvCiphertext<D>): BfvCiphertext<D>;
  addPlain<D extends Domain>(ciphertext: BfvCiphertext<D>, plaintext: BfvPlaintext): BfvCiphertext<D>;
  subtractPlain<D extends Domain>(ciphertext: BfvCiphertext<D>, plaintext: BfvPlaintext): BfvCiphertext<D>;
  /** Makes a plaintext ready for products at a level (the top one by default) and below: worth it where it is used more than once. */
  prepareFactor(plaintext: BfvPlaintext, level?: number): BfvFactor;
  /** Product with a plaintext. */
  multiplyPlain(ciphertext: BfvCiphertext<"ntt">, plaintext: BfvPlaintext | BfvFactor): BfvCiphertext<"ntt">;
  /** Product with an integer, |value| < 2^53: the same number in every slot. Noise grows by |value| modulo t, centred. */
  multiplyInteger<D extends Domain>(ciphertext: BfvCiphertext<D>, value: number): BfvCiphertext<D>;
  /** Sum of ciphertexts times integers, in one pass; all of one level, domain and number of components. */
  weightedSum<D extends Domain>(
    terms: readonly { readonly ciphertext: BfvCiphertext<D>; readonly weight: number }[],
  ): BfvCiphertext<D>;
  /** Sum of ciphertexts times plaintexts, in one pass; all of one level and number of components. */
  weightedSumPlain(
    terms: readonly { readonly ciphertext: BfvCiphertext<"ntt">; readonly factor: BfvFactor }[],
  ): BfvCiphertext<"ntt">;
  /** Product of two ciphertexts: one component fewer than both have together, in coefficient form. */
  multiply(left: BfvCiphertext, right: BfvCiphertext): BfvCiphertext<"coefficient">;
  square(ciphertext: BfvCiphertext): BfvCiphertext<"coefficient">;
  /** Three components to two. Needs the relinearization key. */
  relinearize(ciphertext: BfvCiphertext): BfvCiphertext<"ntt">;
  /** {@link multiply}, then {@link relinearize}. */
  multiplyRelinearize(left: BfvCiphertext, right: BfvCiphertext): BfvCiphertext<"ntt">;
  /** Turns both rows of the matrix of slots to the left: column j takes the value of column j + steps. Needs that rotation's key. */
  rotateRows(ciphertext: BfvCiphertext<"ntt">, steps: number): BfvCiphertext<"ntt">;
  /** Several rotations of one ciphertext, which is decomposed only once. */
  rotateRowsHoisted(ciphertext: BfvCiphertext<"ntt">, steps: readonly number[]): BfvCiphertext<"ntt">[];
  /** Exchanges the two rows of the matrix of slots. Needs the key of that rotation. */
  rotateColumns(ciphertext: BfvCiphertext<"ntt">): BfvCiphertext<"ntt">;
  /** Divides by the last prime in use, with rounding: one level down, the same message, the noise divided by that prime. */
  switchModulus(ciphertext: BfvCiphertext<"ntt">): BfvCiphertext<"ntt">;
  /** The same ciphertext in NTT form. */
  toNtt(ciphertext: BfvCiphertext): BfvCiphertext<"ntt">;
  /** The same ciphertext in coefficient form. */
  toCoefficients(ciphertext: BfvCiphertext): BfvCiphertext<"coefficient">;
}

type Addend = Polynomial<"coefficient">;

/** @param keys May be added to later by whoever made them: they are looked up at each use. */
export function createBfvEvaluator(context: BfvContext, keys: EvaluationKeys): BfvEvaluator {
  const { ring } = context;
  const checks = createOperandChecks(context);

  const withComponents = <D extends Domain>(components: readonly Polynomial<D>[], level: number): BfvCiphertext<D> => ({
    context,
    components,
    level,
  });
  const mapped = <D extends Domain, E extends Domain>(
    { components, level }: BfvCiphertext<D>,
    map: (component: Polynomial<D>) => Polynomial<E>,
  ): BfvCiphertext<E> => withComponents(components.map(map), level);

  /** c_0 changed by the scaled plaintext, the others copied. */
  function combinePlain<D extends Domain>(
    operation: string,
    ciphertext: BfvCiphertext<D>,
    plaintext: BfvPlaintext,
    combine: typeof addPolynomials | typeof subtractPolynomials,
  ): BfvCiphertext<D> {
    checks.requireOwn(operation, ciphertext);
    requirePlainModulus(operation, context, plaintext);
    const coefficients = scaledPlaintext(context, plaintext, ciphertext.level);
    const scaled = (domainOf(ciphertext) === "ntt" ? toNtt(coefficients) : coefficients) as Polynomial as Polynomial<D>;
    const [first, ...others] = ciphertext.components as [Polynomial<D>, ...Polynomial<D>[]];
    const sum = combine(first, scaled);
    scaled.block.free();
    return withComponents([sum, ...others.map((other) => copyPolynomial(other))], ciphertext.level);
  }

  function image(
    c: BfvCiphertext<"ntt">,
    element: number,
    name: string,
    decomposed?: Decomposition,
  ): BfvCiphertext<"ntt"> {
    if (element === 1) return mapped(c, (component) => copyPolynomial(component));
    const key = checks.requireKey(keys.galois.get(element), c, name);
    const digits = decomposed ?? decompose(context, c.components[1]!);
    const components = applyGalois(context, c.components[0]!, digits, element, key);
    if (!decomposed) freeDecomposition(digits);
    return withComponents(components, c.level);
  }

  function rowRotation(steps: number): { element: number; name: string } {
    if (!Number.isInteger(steps)) throw new RangeError(`steps must be an integer, got ${steps}`);
    return { element: rotationElement(ring.degree, steps), name: `a rotation of rows by ${steps}` };
  }

  function requireRotatable(operation: string, c: BfvCiphertext<"ntt">): void {
    checks.requireComponents(operation, c, 2);
    checks.requireNtt(operation, c);
  }

  const evaluator: BfvEvaluator = {
    context,
    keys,
    add(left, right) {
      checks.requireAligned("add", left, right);
      checks.requireOneDomain("add", left, right);
      return withComponents(addComponents(left, right), left.level);
    },
    subtract(left, right) {
      checks.requireAligned("subtract", left, right);
      checks.requireOneDomain("subtract", left, right);
      return withComponents(subtractComponents(left, right), left.level);
    },
    negate(c) {
      checks.requireOwn("negate", c);
      return mapped(c, negatePolynomial);
    },
    addPlain: (c, plaintext) => combinePlain("addPlain", c, plaintext, addPolynomials),
    subtractPlain: (c, plaintext) => combinePlain("subtractPlain", c, plaintext, subtractPolynomials),
    prepareFactor(plaintext, level = context.maxLevel) {
      requirePlainModulus("prepareFactor", context, plaintext);
      return { context, polynomial: liftedPlaintext(context, plaintext, level), level };
    },
    multiplyPlain(c, plaintext) {
      checks.requireNtt("multiplyPlain", c);
      if ("polynomial" in plaintext) {
        checks.requireFactor("multiplyPlain", c, plaintext);
        return mapped(c, (component) => multiplyPolynomials(component, plaintext.polynomial));
      }
      requirePlainModulus("multiplyPlain", context, plaintext);
      const factor = liftedPlaintext(context, plaintext, c.level);
      const product = mapped(c, (component) => multiplyPolynomials(component, factor));
      factor.block.free();
      return product;
    },
    multiplyInteger(c, value) {
      checks.requireOwn("multiplyInteger", c);
      requireSafeInteger("multiplyInteger: value", value);
      return withComponents(sumOfMultiples(context, [c], [value]), c.level);
    },
    weightedSum(terms) {
      const ciphertexts = terms.map(({ ciphertext }) => ciphertext);
      checks.requireAlike("weightedSum", ciphertexts);
      for (const { weight } of terms) requireSafeInteger("weightedSum: weight", weight);
      const weights = terms.map(({ weight }) => weight);
      return withComponents(sumOfMultiples(context, ciphertexts, weights), ciphertexts[0]!.level);
    },
    weightedSumPlain(terms) {
      const ciphertexts = terms.map(({ ciphertext }) => ciphertext);
      checks.requireAlike("weightedSumPlain", ciphertexts);
      for (const { ciphertext, factor } of terms) {
        checks.requireNtt("weightedSumPlain", ciphertext);
        checks.requireFactor("weightedSumPlain", ciphertext, factor);
      }
      const factors = terms.map(({ factor }) => factor);
      return withComponents(sumOfProducts(ciphertexts, factors), ciphertexts[0]!.level);
    },
    multiply(left, right) {
      checks.requireAligned("multiply", left, right);
      return withComponents(multiplyComponents(context, left.components, right.components), left.level);
    },
    square(c) {
      checks.requireOwn("square", c);
      return withComponents(multiplyComponents(context, c.components, c.components), c.level);
    },
    relinearize(c) {
      checks.requireComponents("relinearize", c, 3);
      const key = checks.requireKey(keys.relinearization, c, "relinearization");
      // A product comes in coefficient form: what is added then shares the transforms of the quotient.
      const coefficients = domainOf(c) === "ntt" ? evaluator.toCoefficients(c) : (c as BfvCiphertext<"coefficient">);
      const [c0, c1, c2] = coefficients.components as [Addend, Addend, Addend];
      const ntt = nttCopy(c.components[2]!);
      const digits = decompose(context, ntt, c2);
      ntt.block.free();
      const components = switchKey(context, digits, key, [c0, c1]);
      freeDecomposition(digits);
      if (coefficients !== c) freeCiphertext(coefficients);
      return withComponents(components, c.level);
    },
    multiplyRelinearize(left, right) {
      const product = left === right ? evaluator.square(left) : evaluator.multiply(left, right);
      try {
        return evaluator.relinearize(product);
      } finally {
        freeCiphertext(product);
      }
    },
    rotateRows(c, steps) {
      requireRotatable("rotateRows", c);
      const { element, name } = rowRotation(steps);
      return image(c, element, name);
    },
    rotateRowsHoisted(c, steps) {
      requireRotatable("rotateRowsHoisted", c);
      const rotations = steps.map(rowRotation);
      const decomposed = decompose(context, c.components[1]!);
      try {
        return rotations.map(({ element, name }) => image(c, element, name, decomposed));
      } finally {
        freeDecomposition(decomposed);
      }
    },
    rotateColumns(c) {
      requireRotatable("rotateColumns", c);
      return image(c, conjugationElement(ring.degree), "a rotation of columns");
    },
    switchModulus(c) {
      checks.requireNtt("switchModulus", c);
      checks.requirePrimeLeft("switchModulus", c);
      return withComponents(divideEachRoundByLast(c.components, 1), c.level - 1);
    },
    toNtt(c) {
      checks.requireOwn("toNtt", c);
      return mapped(c, nttCopy);
    },
    toCoefficients(c) {
      checks.requireOwn("toCoefficients", c);
      return mapped(c, coefficientCopy);
    },
  };
  return evaluator;
}
