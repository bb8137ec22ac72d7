/**
 * Operations on raised ciphertexts: P times a ciphertext, modulo QP, as a key switch leaves it before its division by P. Rotations, sums and
 * sums weighted by plaintexts go on in that form, and one division at the end, by the rescaling prime as well, replaces many (double
 * hoisting: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 */

import { CrcnnError } from "../errors/index.ts";
import {
  addInPlace,
  addPolynomials,
  copyPolynomial,
  divideEachRoundByLast,
  divideRoundByLast,
  dotProducts,
  type Polynomial,
} from "../math/index.ts";
import {
  applyGaloisRaised,
  decompose,
  type EvaluationKeys,
  freeDecomposition,
  multiplyByKey,
  type RlweContext,
  raise,
} from "../rlwe/index.ts";
import type { CkksCiphertext, RaisedCiphertext } from "./ciphertext.ts";
import type { Plaintext } from "./encoder.ts";
import type { OperandChecks } from "./operands.ts";
import { requireSameScale } from "./scale.ts";

export interface RaisedTerm {
  readonly ciphertext: RaisedCiphertext;
  /** Encoded at the ciphertext's level with `raised: true`. */
  readonly plaintext: Plaintext;
}

export interface RaisedEvaluator {
  /** P times a ciphertext of two components. */
  raise(ciphertext: CkksCiphertext): RaisedCiphertext;
  /** Several rotations of one ciphertext, plain or raised, which is decomposed only once. Needs the Galois keys; a step of 0 is allowed. */
  rotate(source: CkksCiphertext | RaisedCiphertext, steps: readonly number[]): RaisedCiphertext[];
  add(left: RaisedCiphertext, right: RaisedCiphertext): RaisedCiphertext;
  /** Sum of products with plaintexts, reduced once; all products must have the same scale. */
  weightedSum(terms: readonly RaisedTerm[]): RaisedCiphertext;
  /** Three components to two. Needs the relinearization key. */
  relinearize(ciphertext: CkksCiphertext): RaisedCiphertext;
  /** The division by P, with rounding. */
  lower(ciphertext: RaisedCiphertext): CkksCiphertext;
  /** The division by P and by the last `primes` primes in use (1 by default) at once, with one rounding: {@link lower}, then rescales. */
  lowerAndRescale(ciphertext: RaisedCiphertext, primes?: number): CkksCiphertext;
}

export function createRaisedEvaluator(
  context: RlweContext,
  keys: EvaluationKeys,
  { requireTwoComponents, requireThreeComponents, requireRoom, requirePrimeLeft, requireKey, rotation }: OperandChecks,
): RaisedEvaluator {
  const { ring, alpha } = context;

  function requireRaised(operation: string, ciphertext: RaisedCiphertext): void {
    if (ciphertext.components[0].ring === ring) return;
    throw new CrcnnError(
      "FOREIGN_OBJECT",
      `${operation}: the ciphertext belongs to other parameters; make it again for ${context.id}`,
    );
  }

  /** The limbs of the special primes stand behind those of the level, so a plaintext of a higher level will not do here. */
  function requireRaisedTerm(level: number, { ciphertext, plaintext }: RaisedTerm): void {
    requireRaised("raised.weightedSum", ciphertext);
    const { polynomial } = plaintext;
    if (polynomial.ring !== ring) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `raised.weightedSum: the plaintext belongs to other parameters; make it again for ${context.id}`,
      );
    }
    const whole = polynomial.basis.length === ciphertext.components[0].basis.length;
    if (ciphertext.level === level && plaintext.level === level && whole) return;
    const form = polynomial.basis.length > plaintext.level + 1 ? "raised" : "not raised";
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `raised.weightedSum: a ciphertext is at level ${ciphertext.level}, its plaintext at level ${plaintext.level} and ${form}, the first ` +
        `ciphertext at level ${level}; encode plaintexts with { level: ${level}, raised: true } and rotate ciphertexts of one level`,
    );
  }

  function raiseBoth({ components: [c0, c1], level, scale }: CkksCiphertext): RaisedCiphertext {
    return { raised: true, components: [raise(context, c0), raise(context, c1)], level, scale };
  }

  /** P * c_0, and c_1 itself: what a rotation needs of its source. Both are new. */
  function halvesForRotation(source: CkksCiphertext | RaisedCiphertext): [Polynomial<"ntt">, Polynomial<"ntt">] {
    const [c0, c1] = source.components;
    if ("raised" in source) return [copyPolynomial(c0), divideRoundByLast(c1, alpha)];
    return [raise(context, c0), copyPolynomial(c1)];
  }

  const divide = ({ components }: RaisedCiphertext, count: number): Polynomial<"ntt">[] =>
    divideEachRoundByLast(components, count);

  return {
    raise(c) {
      requireTwoComponents("raised.raise", c);
      return raiseBoth(c);
    },
    rotate(source, steps) {
      if ("raised" in source) requireRaised("raised.rotate", source);
      else requireTwoComponents("raised.rotate", source);
      const { level, scale } = source;
      const rotations = steps.map(rotation).map(({ element, name }) => ({
        element,
        key: element === 1 ? undefined : requireKey(keys.galois.get(element), source, name),
      }));
      const [c0, c1] = halvesForRotation(source);
      const decomposed = decompose(context, c1);
      const images = rotations.map(({ element, key }) => {
        const components = key
          ? applyGaloisRaised(context, c0, decomposed, element, key)
          : ([
              copyPolynomial(c0),
              "raised" in source ? copyPolynomial(source.components[1]) : raise(context, c1),
            ] as const);
        return { raised: true, components, level, scale } as const;
      });
      freeDecomposition(decomposed);
      c0.block.free();
      c1.block.free();
      return images;
    },
    add(left, right) {
      requireRaised("raised.add", left);
      requireRaised("raised.add", right);
      requireSameScale("raised.add", left.scale, right.scale);
      if (left.level !== right.level) {
        throw new CrcnnError(
          "LEVEL_MISMATCH",
          `raised.add: the operands are at levels ${left.level} and ${right.level}; bring both to one level before they are raised`,
        );
      }
      const [a0, a1] = left.components;
      const [b0, b1] = right.components;
      return { ...left, components: [addPolynomials(a0, b0), addPolynomials(a1, b1)] };
    },
    weightedSum(terms) {
      if (terms.length === 0) throw new RangeError("raised.weightedSum needs at least one term");
      const [first] = terms;
      const { level } = first.ciphertext;
      const scale = first.ciphertext.scale * first.plaintext.scale;
      for (const term of terms) {
        requireRaisedTerm(level, term);
        requireSameScale("raised.weightedSum", scale, term.ciphertext.scale * term.plaintext.scale);
      }
      requireRoom("raised.weightedSum", scale, level);
      const rights = terms.map(({ plaintext }) => plaintext.polynomial);
      const [c0, c1] = dotProducts(
        first.ciphertext.components[0].basis,
        ([0, 1] as const).map((i) => ({ lefts: terms.map(({ ciphertext }) => ciphertext.components[i]), rights })),
      );
      return { raised: true, components: [c0, c1], level, scale };
    },
    relinearize(c) {
      requireThreeComponents("raised.relinearize", c);
      const key = requireKey(keys.relinearization, c, "relinearization");
      const [c0, c1, c2] = c.components;
      const digits = decompose(context, c2);
      const components = multiplyByKey(context, digits, key);
      freeDecomposition(digits);
      for (const [i, part] of [c0, c1].entries()) {
        const raised = raise(context, part);
        addInPlace(components[i], raised);
        raised.block.free();
      }
      return { raised: true, components, level: c.level, scale: c.scale };
    },
    lower(c) {
      requireRaised("raised.lower", c);
      return { context, components: divide(c, alpha), level: c.level, scale: c.scale };
    },
    lowerAndRescale(c, primes = 1) {
      requireRaised("raised.lowerAndRescale", c);
      const level = c.level - primes;
      requirePrimeLeft("raised.lowerAndRescale", { level: level + 1, scale: c.scale });
      const dropped = ring.moduli.slice(level + 1, c.level + 1);
      const scale = dropped.reduce((rest, { value }) => rest / value, c.scale);
      return { context, components: divide(c, alpha + primes), level, scale };
    },
  };
}
