/**
 * Operations on raised ciphertexts: P times a ciphertext, modulo QP, as a key switch leaves it before its division by P. Rotations, sums and
 * sums weighted by plaintexts go on in that form, and one division at the end, by the rescaling prime as well, replaces many (double
 * hoisting: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 */

import { CrcnnError } from "../errors/index.ts";
import {
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
  type GaloisStep,
  multiplyByKeys,
  type RlweContext,
  raise,
  type TransformSource,
  transformRaised,
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

/** A term of a transform: source `source`, rotated by its `step`-th steps, times a plaintext encoded as in {@link RaisedTerm}. */
export interface RotatedTerm {
  readonly source: number;
  readonly step: number;
  readonly plaintext: Plaintext;
}

/** A ciphertext, plain or raised, with the steps by which sums need it rotated; a step of 0 is allowed. */
export interface RotatedSource {
  readonly ciphertext: CkksCiphertext | RaisedCiphertext;
  readonly steps: readonly number[];
}

export interface RaisedEvaluator {
  /** P times a ciphertext of two components. */
  raise(ciphertext: CkksCiphertext): RaisedCiphertext;
  /** Several rotations of one ciphertext, plain or raised, which is decomposed only once. Needs the Galois keys; a step of 0 is allowed. */
  rotate(source: CkksCiphertext | RaisedCiphertext, steps: readonly number[]): RaisedCiphertext[];
  add(left: RaisedCiphertext, right: RaisedCiphertext): RaisedCiphertext;
  /** Sum of products with plaintexts, reduced once; all products must have the same scale. */
  weightedSum(terms: readonly RaisedTerm[]): RaisedCiphertext;
  /**
   * Sums of rotated ciphertexts times plaintexts: {@link rotate}, then {@link weightedSum} for each sum, without the rotated ciphertexts as
   * a whole ever being in memory.
   */
  transform(sources: readonly RotatedSource[], sums: readonly (readonly RotatedTerm[])[]): RaisedCiphertext[];
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
  function requireWeights(operation: string, level: number, ciphertextLevel: number, plaintext: Plaintext): void {
    const { polynomial } = plaintext;
    if (polynomial.ring !== ring) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `${operation}: the plaintext belongs to other parameters; make it again for ${context.id}`,
      );
    }
    const whole = polynomial.basis.length === level + 1 + alpha;
    if (ciphertextLevel === level && plaintext.level === level && whole) return;
    const form = polynomial.basis.length > plaintext.level + 1 ? "raised" : "not raised";
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: a ciphertext is at level ${ciphertextLevel}, its plaintext at level ${plaintext.level} and ${form}, the first ` +
        `ciphertext at level ${level}; encode plaintexts with { level: ${level}, raised: true } and rotate ciphertexts of one level`,
    );
  }

  /** Terms that can be summed. Returns the sum's scale. */
  function requireSum(
    operation: string,
    level: number,
    terms: readonly { readonly level: number; readonly scale: number; readonly plaintext: Plaintext }[],
  ): number {
    if (terms.length === 0) throw new RangeError(`${operation} needs at least one term`);
    const scale = terms[0].scale * terms[0].plaintext.scale;
    for (const { level: own, scale: ownScale, plaintext } of terms) {
      requireWeights(operation, level, own, plaintext);
      requireSameScale(operation, scale, ownScale * plaintext.scale);
    }
    requireRoom(operation, scale, level);
    return scale;
  }

  function raiseBoth({ components: [c0, c1], level, scale }: CkksCiphertext): RaisedCiphertext {
    return { raised: true, components: [raise(context, c0), raise(context, c1)], level, scale };
  }

  function requireEither(operation: string, source: CkksCiphertext | RaisedCiphertext): void {
    if ("raised" in source) requireRaised(operation, source);
    else requireTwoComponents(operation, source);
  }

  /** Keys for rotations; undefined for a rotation by nothing. */
  function galoisSteps(
    source: CkksCiphertext | RaisedCiphertext,
    steps: readonly number[],
  ): (GaloisStep | undefined)[] {
    return steps
      .map(rotation)
      .map(({ element, name }) =>
        element === 1 ? undefined : { element, key: requireKey(keys.galois.get(element), source, name) },
      );
  }

  /** Makes what a transform reads of a source, hands it over, and frees it. */
  function withTransformSources<T>(
    sources: readonly RotatedSource[],
    steps: readonly (readonly (GaloisStep | undefined)[])[],
    use: (prepared: TransformSource[]) => T,
  ): T {
    const free: (() => void)[] = [];
    const prepare = ({ ciphertext }: RotatedSource, i: number): TransformSource => {
      const raised = "raised" in ciphertext ? ciphertext : raiseBoth(ciphertext);
      if (raised !== ciphertext) free.push(() => raised.components.forEach(({ block }) => void block.free()));
      if (steps[i].every((step) => !step)) return { raised: raised.components, decomposed: undefined, steps: steps[i] };
      const plain = "raised" in ciphertext ? divideRoundByLast(ciphertext.components[1], alpha) : undefined;
      const decomposed = decompose(context, plain ?? ciphertext.components[1]);
      plain?.block.free();
      free.push(() => freeDecomposition(decomposed));
      return { raised: raised.components, decomposed, steps: steps[i] };
    };
    try {
      return use(sources.map(prepare));
    } finally {
      for (const each of free) each();
    }
  }

  const divide = ({ components }: RaisedCiphertext, count: number): Polynomial<"ntt">[] =>
    divideEachRoundByLast(components, count);

  return {
    raise(c) {
      requireTwoComponents("raised.raise", c);
      return raiseBoth(c);
    },
    rotate(source, steps) {
      requireEither("raised.rotate", source);
      const { level, scale } = source;
      const rotations = galoisSteps(source, steps);
      return withTransformSources([{ ciphertext: source, steps }], [rotations], ([prepared]) => {
        const { raised, decomposed } = prepared;
        const turning = rotations.filter((step) => step !== undefined);
        const images = (decomposed ? applyGaloisRaised(context, raised[0], decomposed, turning) : []).values();
        return rotations.map((step) => {
          const components = step
            ? images.next().value!
            : ([copyPolynomial(raised[0]), copyPolynomial(raised[1])] as const);
          return { raised: true, components, level, scale } as const;
        });
      });
    },
    transform(sources, sums) {
      const operation = "raised.transform";
      for (const { ciphertext } of sources) requireEither(operation, ciphertext);
      const level = sources[0]?.ciphertext.level ?? 0;
      const scales = sums.map((terms) =>
        requireSum(
          operation,
          level,
          terms.map(({ source, plaintext }) => ({ ...levelAndScale(sources[source].ciphertext), plaintext })),
        ),
      );
      const steps = sources.map(({ ciphertext, steps: own }) => galoisSteps(ciphertext, own));
      const rows = sums.map((terms) =>
        terms.map(({ source, step, plaintext }) => ({ source, step, weights: plaintext.polynomial })),
      );
      const results = withTransformSources(sources, steps, (prepared) => transformRaised(context, prepared, rows));
      return results.map((components, i) => ({ raised: true, components, level, scale: scales[i] }));
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
      const operation = "raised.weightedSum";
      for (const { ciphertext } of terms) requireRaised(operation, ciphertext);
      const level = terms[0]?.ciphertext.level ?? 0;
      const scale = requireSum(
        operation,
        level,
        terms.map(({ ciphertext, plaintext }) => ({ ...levelAndScale(ciphertext), plaintext })),
      );
      const rights = terms.map(({ plaintext }) => plaintext.polynomial);
      const [c0, c1] = dotProducts(
        context.keyBasis(level),
        ([0, 1] as const).map((i) => ({ lefts: terms.map(({ ciphertext }) => ciphertext.components[i]), rights })),
      );
      return { raised: true, components: [c0, c1], level, scale };
    },
    relinearize(c) {
      requireThreeComponents("raised.relinearize", c);
      const key = requireKey(keys.relinearization, c, "relinearization");
      const [c0, c1, c2] = c.components;
      const digits = decompose(context, c2);
      const addends = [raise(context, c0), raise(context, c1)] as const;
      const [components] = multiplyByKeys(context, digits, [{ key, addends }]);
      freeDecomposition(digits);
      for (const { block } of addends) block.free();
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

function levelAndScale({ level, scale }: CkksCiphertext | RaisedCiphertext): { level: number; scale: number } {
  return { level, scale };
}
