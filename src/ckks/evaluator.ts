/**
 * Operations on CKKS ciphertexts, with public material only. Each returns a new ciphertext. Misfitting operands are errors that
 * name the figures and the remedy; nothing is rescaled or aligned behind the caller's back.
 */

import {
  addInPlace,
  addPolynomials,
  copyPolynomial,
  divideEachRoundByLast,
  dotProduct,
  dotProducts,
  multiplyPolynomials,
  negatePolynomial,
} from "../math/index.ts";
import {
  addComponents,
  applyGaloisRaised,
  conjugationElement,
  decompose,
  type EvaluationKeys,
  freeDecomposition,
  lowerAndFree,
  type RlweContext,
  raise,
  subtractComponents,
  switchKey,
} from "../rlwe/index.ts";
import type { CkksCiphertext } from "./ciphertext.ts";
import type { Plaintext } from "./encoder.ts";
import { createOperandChecks } from "./operands.ts";
import { createRaisedEvaluator, type RaisedEvaluator } from "./raised.ts";
import { requireSameScale } from "./scale.ts";

export interface CkksEvaluator {
  readonly context: RlweContext;
  /** The same operations on ciphertexts whose division by P is put off. */
  readonly raised: RaisedEvaluator;
  add(left: CkksCiphertext, right: CkksCiphertext): CkksCiphertext;
  subtract(left: CkksCiphertext, right: CkksCiphertext): CkksCiphertext;
  negate(ciphertext: CkksCiphertext): CkksCiphertext;
  addPlain(ciphertext: CkksCiphertext, plaintext: Plaintext): CkksCiphertext;
  /** Product with a plaintext; the scales multiply. */
  multiplyPlain(ciphertext: CkksCiphertext, plaintext: Plaintext): CkksCiphertext;
  /** Sum of products of ciphertexts with plaintexts, reduced once; all products must have the same scale. */
  weightedSum(terms: readonly { readonly ciphertext: CkksCiphertext; readonly plaintext: Plaintext }[]): CkksCiphertext;
  /** Product of two ciphertexts of two components: three components, the scales multiply. */
  multiply(left: CkksCiphertext, right: CkksCiphertext): CkksCiphertext;
  /** Three components to two. Needs the relinearization key. Relinearize before rescaling: rescaling s^2 costs seven bits. */
  relinearize(ciphertext: CkksCiphertext): CkksCiphertext;
  /** Divides by the last prime in use, with rounding: one level down, the scale divided by that prime. */
  rescale(ciphertext: CkksCiphertext): CkksCiphertext;
  /** Forgets primes until `level` is reached. The message and its scale stay. */
  dropLevel(ciphertext: CkksCiphertext, level: number): CkksCiphertext;
  /** Slot t takes the value of slot t + steps. Needs the Galois key of that rotation. */
  rotate(ciphertext: CkksCiphertext, steps: number): CkksCiphertext;
  /** Several rotations of one ciphertext, which is decomposed only once. */
  rotateHoisted(ciphertext: CkksCiphertext, steps: readonly number[]): CkksCiphertext[];
  /** The complex conjugate of every slot. Needs the Galois key of conjugation. */
  conjugate(ciphertext: CkksCiphertext): CkksCiphertext;
}

export function createCkksEvaluator(context: RlweContext, keys: EvaluationKeys): CkksEvaluator {
  const { ring } = context;
  const checks = createOperandChecks(context);
  const { requireOwn, requireAligned, requirePlaintext, requireTwoComponents, requireThreeComponents } = checks;
  const { requireRoom, requirePrimeLeft, requireKey, rotation } = checks;

  /** Images under automorphisms, with one decomposition. */
  function images(
    c: CkksCiphertext,
    automorphisms: readonly { readonly element: number; readonly name: string }[],
  ): CkksCiphertext[] {
    const { level, scale } = c;
    const steps = automorphisms
      .filter(({ element }) => element !== 1)
      .map(({ element, name }) => ({ element, key: requireKey(keys.galois.get(element), c, name) }));
    const [c0, c1] = c.components;
    if (steps.length === 0) {
      return automorphisms.map(() => ({ ...c, components: [copyPolynomial(c0), copyPolynomial(c1)] }));
    }
    const digits = decompose(context, c1);
    const raisedC0 = raise(context, c0);
    const products = applyGaloisRaised(context, raisedC0, digits, steps);
    raisedC0.block.free();
    freeDecomposition(digits);
    const switched = products.map((product) => lowerAndFree(context, product)).values();
    return automorphisms.map(({ element }) => {
      const components = element === 1 ? [copyPolynomial(c0), copyPolynomial(c1)] : switched.next().value!;
      return { context, components, level, scale };
    });
  }

  return {
    context,
    raised: createRaisedEvaluator(context, keys, checks),
    add(left, right) {
      requireAligned("add", left, right);
      requireSameScale("add", left.scale, right.scale);
      return { context, components: addComponents(left, right), level: left.level, scale: left.scale };
    },
    subtract(left, right) {
      requireAligned("subtract", left, right);
      requireSameScale("subtract", left.scale, right.scale);
      return { context, components: subtractComponents(left, right), level: left.level, scale: left.scale };
    },
    negate(c) {
      requireOwn("negate", c);
      return { context, components: c.components.map(negatePolynomial), level: c.level, scale: c.scale };
    },
    addPlain(c, plaintext) {
      requirePlaintext("addPlain", c, plaintext);
      requireSameScale("addPlain", c.scale, plaintext.scale);
      const [first, ...others] = c.components;
      const components = [addPolynomials(first, plaintext.polynomial), ...others.map((other) => copyPolynomial(other))];
      return { context, components, level: c.level, scale: c.scale };
    },
    multiplyPlain(c, plaintext) {
      requirePlaintext("multiplyPlain", c, plaintext);
      requireRoom("multiplyPlain", c.scale * plaintext.scale, c.level);
      const components = c.components.map((component) => multiplyPolynomials(component, plaintext.polynomial));
      return { context, components, level: c.level, scale: c.scale * plaintext.scale };
    },
    weightedSum(terms) {
      if (terms.length === 0) throw new RangeError("weightedSum needs at least one term");
      const [first] = terms;
      const scale = first.ciphertext.scale * first.plaintext.scale;
      for (const { ciphertext, plaintext } of terms) {
        requireAligned("weightedSum", first.ciphertext, ciphertext);
        requireTwoComponents("weightedSum", ciphertext);
        requirePlaintext("weightedSum", ciphertext, plaintext);
        requireSameScale("weightedSum", scale, ciphertext.scale * plaintext.scale);
      }
      requireRoom("weightedSum", scale, first.ciphertext.level);
      const { components: parts, level } = first.ciphertext;
      const rights = terms.map(({ plaintext }) => plaintext.polynomial);
      const components = dotProducts(
        parts[0].basis,
        ([0, 1] as const).map((i) => ({ lefts: terms.map(({ ciphertext }) => ciphertext.components[i]), rights })),
      );
      return { context, components, level, scale };
    },
    multiply(left, right) {
      requireAligned("multiply", left, right);
      requireTwoComponents("multiply", left);
      requireTwoComponents("multiply", right);
      requireRoom("multiply", left.scale * right.scale, left.level);
      const [a0, a1] = left.components;
      const [b0, b1] = right.components;
      const cross = dotProduct(a0.basis, [a0, a1], [b1, b0]);
      const components = [multiplyPolynomials(a0, b0), cross, multiplyPolynomials(a1, b1)];
      return { context, components, level: left.level, scale: left.scale * right.scale };
    },
    relinearize(c) {
      requireThreeComponents("relinearize", c);
      const key = requireKey(keys.relinearization, c, "relinearization");
      const digits = decompose(context, c.components[2]);
      const switched = switchKey(context, digits, key);
      freeDecomposition(digits);
      addInPlace(switched[0], c.components[0]);
      addInPlace(switched[1], c.components[1]);
      return { context, components: switched, level: c.level, scale: c.scale };
    },
    rescale(c) {
      requireOwn("rescale", c);
      requirePrimeLeft("rescale", c);
      const prime = ring.moduli[c.level].value;
      const components = divideEachRoundByLast(c.components, 1);
      return { context, components, level: c.level - 1, scale: c.scale / prime };
    },
    dropLevel(c, level) {
      requireOwn("dropLevel", c);
      if (!Number.isInteger(level) || level < 0 || level > c.level) {
        throw new RangeError(`dropLevel: level must be an integer from 0 to the ciphertext's ${c.level}, got ${level}`);
      }
      const components = c.components.map((component) => copyPolynomial(component, level + 1));
      return { context, components, level, scale: c.scale };
    },
    rotate(c, steps) {
      requireTwoComponents("rotate", c);
      return images(c, [rotation(steps)])[0];
    },
    rotateHoisted(c, steps) {
      requireTwoComponents("rotateHoisted", c);
      return images(c, steps.map(rotation));
    },
    conjugate(c) {
      requireTwoComponents("conjugate", c);
      return images(c, [{ element: conjugationElement(ring.degree), name: "conjugation" }])[0];
    },
  };
}
