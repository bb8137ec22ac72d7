/**
 * Operations on CKKS ciphertexts, with public material only. Each returns a new ciphertext. Misfitting operands are errors that
 * name the figures and the remedy; nothing is rescaled or aligned behind the caller's back.
 */

import { CrcnnError } from "../errors/index.ts";
import {
  addInPlace,
  addPolynomials,
  copyPolynomial,
  divideRoundByLast,
  dotProduct,
  multiplyPolynomials,
  negatePolynomial,
  type Polynomial,
} from "../math/index.ts";
import {
  addComponents,
  applyGalois,
  applyGaloisRaised,
  type Ciphertext,
  conjugationElement,
  type Decomposition,
  decompose,
  type EvaluationKeys,
  freeDecomposition,
  type KeySwitchingKey,
  lower,
  modulusBits,
  type RlweContext,
  raise,
  rotationElement,
  subtractComponents,
  switchKey,
} from "../rlwe/index.ts";
import type { CkksCiphertext, RaisedCiphertext } from "./ciphertext.ts";
import type { Plaintext } from "./encoder.ts";
import { formatScale, requireSameScale } from "./scale.ts";

export interface CkksEvaluator {
  readonly context: RlweContext;
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
  /**
   * As {@link rotateHoisted}, but P times larger and modulo QP: to be used in {@link weightedSumRaised} alone. A step of 0 is allowed.
   */
  rotateRaised(ciphertext: CkksCiphertext, steps: readonly number[]): RaisedCiphertext[];
  /**
   * {@link weightedSum} of raised ciphertexts, divided by P once at the end; the plaintexts must be raised, too, and at the very same
   * level.
   */
  weightedSumRaised(
    terms: readonly { readonly ciphertext: RaisedCiphertext; readonly plaintext: Plaintext }[],
  ): CkksCiphertext;
  /** The complex conjugate of every slot. Needs the Galois key of conjugation. */
  conjugate(ciphertext: CkksCiphertext): CkksCiphertext;
}

export function createCkksEvaluator(context: RlweContext, keys: EvaluationKeys): CkksEvaluator {
  const { ring } = context;

  function requireOwn(operation: string, ciphertext: Ciphertext): void {
    if (ciphertext.context !== context) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `${operation}: the ciphertext belongs to parameters ${ciphertext.context.id}, the evaluator to ${context.id}; use an evaluator ` +
          "made from the ciphertext's own context",
      );
    }
  }

  function requireAligned(operation: string, left: CkksCiphertext, right: CkksCiphertext): void {
    requireOwn(operation, left);
    requireOwn(operation, right);
    if (left.level === right.level) return;
    const lower = Math.min(left.level, right.level);
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: the operands are at levels ${left.level} and ${right.level}; bring both to level ${lower} with dropLevel`,
    );
  }

  function requirePlaintext(operation: string, ciphertext: CkksCiphertext, plaintext: Plaintext): void {
    requireOwn(operation, ciphertext);
    if (plaintext.polynomial.ring !== ring) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `${operation}: the plaintext was encoded for other parameters; encode it again`,
      );
    }
    if (plaintext.level >= ciphertext.level) return;
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: the plaintext is at level ${plaintext.level}, the ciphertext at level ${ciphertext.level}; encode the plaintext at ` +
        `level ${ciphertext.level}, or bring the ciphertext down with dropLevel`,
    );
  }

  function requireTwoComponents(operation: string, ciphertext: CkksCiphertext): void {
    requireOwn(operation, ciphertext);
    if (ciphertext.components.length === 2) return;
    throw new CrcnnError(
      "COMPONENT_COUNT",
      `${operation} takes ciphertexts of 2 components, got one of ${ciphertext.components.length}; relinearize it first`,
    );
  }

  /** The limbs of the special primes stand behind those of the level, so a level too high will not do here. */
  function requireRaised(level: number, ciphertext: RaisedCiphertext, plaintext: Plaintext): void {
    const [{ ring: own, basis }] = ciphertext.components;
    if (own !== ring || plaintext.polynomial.ring !== ring) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `weightedSumRaised: the ${own === ring ? "plaintext" : "ciphertext"} belongs to other parameters; make it again for ${context.id}`,
      );
    }
    if (ciphertext.level === level && plaintext.level === level && plaintext.polynomial.basis.length === basis.length)
      return;
    const form = plaintext.polynomial.basis.length > plaintext.level + 1 ? "raised" : "not raised";
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `weightedSumRaised: a ciphertext is at level ${ciphertext.level}, its plaintext at level ${plaintext.level} and ${form}, the first ` +
        `ciphertext at level ${level}; encode plaintexts with { level: ${level}, raised: true } and rotate ciphertexts of one level`,
    );
  }

  /** A product whose scale alone fills the modulus has no room for any value. */
  function requireRoom(operation: string, scale: number, level: number): void {
    const bits = modulusBits(context.parameters.dataPrimes.slice(0, level + 1));
    if (Math.log2(scale) + 1 < bits) return;
    throw new CrcnnError(
      "SCALE_OVERFLOW",
      `${operation}: the product's scale ${formatScale(scale)} does not fit the ${bits.toFixed(1)} bits of level ${level}; rescale the ` +
        "operands first, or use parameters with a longer chain",
    );
  }

  function requireKey(key: KeySwitchingKey | undefined, ciphertext: CkksCiphertext, name: string): KeySwitchingKey {
    if (key && key.level >= ciphertext.level) return key;
    const problem = key ? `reaches only level ${key.level}` : "was not supplied";
    throw new CrcnnError(
      "MISSING_KEY",
      `the key for ${name} at level ${ciphertext.level} ${problem}; let the key's owner make it and hand it to the evaluator`,
    );
  }

  function image(c: CkksCiphertext, element: number, name: string, decomposed?: Decomposition): CkksCiphertext {
    if (element === 1) return { ...c, components: c.components.map((component) => copyPolynomial(component)) };
    const key = requireKey(keys.galois.get(element), c, name);
    const digits = decomposed ?? decompose(context, c.components[1]);
    const components = applyGalois(context, c.components[0], digits, element, key);
    if (!decomposed) freeDecomposition(digits);
    return { context, components, level: c.level, scale: c.scale };
  }

  const rotation = (steps: number): { element: number; name: string } => {
    if (!Number.isInteger(steps)) throw new RangeError(`steps must be an integer, got ${steps}`);
    return { element: rotationElement(ring.degree, steps), name: `a rotation by ${steps} slots` };
  };

  return {
    context,
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
      const plaintexts = terms.map(({ plaintext }) => plaintext.polynomial);
      const half = (i: 0 | 1): Polynomial<"ntt"> =>
        dotProduct(
          first.ciphertext.components[i].basis,
          terms.map(({ ciphertext }) => ciphertext.components[i]),
          plaintexts,
        );
      return { context, components: [half(0), half(1)], level: first.ciphertext.level, scale };
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
      requireOwn("relinearize", c);
      if (c.components.length !== 3) {
        throw new CrcnnError(
          "COMPONENT_COUNT",
          `relinearize takes a ciphertext of 3 components, got one of ${c.components.length}; relinearize after each product`,
        );
      }
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
      if (c.level === 0) {
        throw new CrcnnError(
          "LEVEL_EXHAUSTED",
          `rescale: the ciphertext is at level 0 with scale ${formatScale(c.scale)}, no prime is left; use parameters with a longer ` +
            "chain, or have the key's owner refresh the ciphertext",
        );
      }
      const prime = ring.moduli[c.level].value;
      const components = c.components.map((component) => divideRoundByLast(component, 1));
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
      const { element, name } = rotation(steps);
      return image(c, element, name);
    },
    rotateHoisted(c, steps) {
      requireTwoComponents("rotateHoisted", c);
      const rotations = steps.map(rotation);
      const decomposed = decompose(context, c.components[1]);
      try {
        return rotations.map(({ element, name }) => image(c, element, name, decomposed));
      } finally {
        freeDecomposition(decomposed);
      }
    },
    rotateRaised(c, steps) {
      requireTwoComponents("rotateRaised", c);
      const [c0, c1] = c.components;
      const rotations = steps.map(rotation);
      const raised = raise(context, c0);
      const decomposed = decompose(context, c1);
      try {
        return rotations.map(({ element, name }) => {
          const components =
            element === 1
              ? ([copyPolynomial(raised), raise(context, c1)] as const)
              : applyGaloisRaised(context, raised, decomposed, element, requireKey(keys.galois.get(element), c, name));
          return { components, level: c.level, scale: c.scale };
        });
      } finally {
        raised.block.free();
        freeDecomposition(decomposed);
      }
    },
    weightedSumRaised(terms) {
      if (terms.length === 0) throw new RangeError("weightedSumRaised needs at least one term");
      const [first] = terms;
      const { level } = first.ciphertext;
      const scale = first.ciphertext.scale * first.plaintext.scale;
      for (const { ciphertext, plaintext } of terms) {
        requireRaised(level, ciphertext, plaintext);
        requireSameScale("weightedSumRaised", scale, ciphertext.scale * plaintext.scale);
      }
      requireRoom("weightedSumRaised", scale, level);
      const plaintexts = terms.map((term) => term.plaintext.polynomial);
      const half = (i: 0 | 1): Polynomial<"ntt"> => {
        const parts = terms.map((term) => term.ciphertext.components[i]);
        return lower(context, dotProduct(parts[0].basis, parts, plaintexts));
      };
      return { context, components: [half(0), half(1)], level, scale };
    },
    conjugate(c) {
      requireTwoComponents("conjugate", c);
      return image(c, conjugationElement(ring.degree), "conjugation");
    },
  };
}
