/**
 * BFV operations for batch plans of one image under the fractional encoder, PyCrCNN's own representation: a ciphertext holds one number, a
 * weight is a plaintext polynomial. Without a relinearization key products keep their components.
 */

import { type BfvCiphertext, type BfvEvaluator, type BfvFactor, createFractionalEncoder } from "../../bfv/index.ts";
import { type Cancellation, CrcnnError, throwIfAborted } from "../../errors/index.ts";
import { fromSigned, toNtt } from "../../math/index.ts";
import { freeCiphertext } from "../../rlwe/index.ts";
import type { BatchOperations } from "./encrypted.ts";
import { stageFractionDigits } from "./fractional-plan.ts";
import type { AffineStage, BatchPlan, SumStage } from "./plan.ts";
import type { TileStep } from "./tiles.ts";

type Value = BfvCiphertext<"ntt">;
type StepEvaluation = (values: readonly Value[]) => Value[];

interface WeightedTerm {
  readonly ciphertext: Value;
  readonly weight: number;
}

/** The weights of one stage. */
interface StageWeights {
  sum(terms: readonly WeightedTerm[]): Value;
}

/** What prepared weights may take; others are encoded whenever they are used. */
const FACTOR_BYTES = 2 ** 27;
/** Products that are summed at a time: so many weights are encoded beside those that are kept. */
const CHUNK = 64;

export interface FractionalOperationsOptions {
  /** Base of the encoder. */
  readonly base: number;
  /** Asked before each element: a fully connected layer is one tile, which may take minutes. */
  readonly signal?: Cancellation | undefined;
}

/**
 * Operations for a plan that {@link fractionalPlan} made with the same base.
 *
 * @param evaluator With a relinearization key where the plan relinearizes.
 * @throws CrcnnError MISSING_KEY without that key, NO_SPECIAL_PRIME where none can exist, UNSUPPORTED_MODEL for a plan that rescales, which
 * was made for CKKS.
 */
export function createFractionalBatchOperations(
  plan: BatchPlan,
  evaluator: BfvEvaluator,
  { base, signal }: FractionalOperationsOptions,
): BatchOperations<BfvCiphertext> {
  const { context } = evaluator;
  const { ring, maxLevel } = context;
  requireStages(plan, evaluator);
  const basis = context.dataBasis(maxLevel);
  const factorBytes = 4 * ring.degree * basis.length;
  const biasEncoder = createFractionalEncoder(context, { base });
  const prepared: BfvFactor[] = [];
  const weightsOf = new Map<AffineStage | SumStage, StageWeights>();
  for (const stage of plan.stages) if ("rowStart" in stage) weightsOf.set(stage, createWeights(stage));

  /** Weights that come several times, as those of convolutions, are kept as long as there is room for them. */
  function createWeights(stage: AffineStage | SumStage): StageWeights {
    const encoder = createFractionalEncoder(context, { base, fractionDigits: stageFractionDigits(stage, base) });
    const scale = stage.op === "affine" ? stage.weightScale : 1;
    const repeated = stage.op === "affine" ? repeatedValues(stage.weight) : new Set([stage.weight]);
    const kept = new Map<number, BfvFactor>();

    function factorFor(weight: number): BfvFactor {
      const found = kept.get(weight);
      if (found) return found;
      const factor = evaluator.prepareFactor(encoder.encodeNumber(weight / scale));
      if (repeated.has(weight) && (prepared.length + 1) * factorBytes <= FACTOR_BYTES) {
        kept.set(weight, factor);
        prepared.push(factor);
      }
      return factor;
    }

    function sumChunk(terms: readonly WeightedTerm[]): Value {
      const products = terms.map(({ ciphertext, weight }) => ({ ciphertext, factor: factorFor(weight) }));
      const sum = evaluator.weightedSumPlain(products);
      for (const [i, { weight }] of terms.entries()) {
        if (!kept.has(weight)) products[i].factor.polynomial.block.free();
      }
      return sum;
    }

    return {
      sum(terms) {
        if (terms.length === 0) return zero();
        let total = sumChunk(terms.slice(0, CHUNK));
        for (let start = CHUNK; start < terms.length; start += CHUNK) {
          const part = sumChunk(terms.slice(start, start + CHUNK));
          total = consume([total, part], evaluator.add(total, part));
        }
        return total;
      },
    };
  }

  function zero(): Value {
    const components = [0, 1].map(() => toNtt(fromSigned(ring, basis, new Int32Array(ring.degree))));
    return { context, components, level: maxLevel };
  }

  /** Results one by one; those that were made are freed when another one cannot be. */
  function collect<T>(items: Iterable<T>, make: (item: T, i: number) => Value): Value[] {
    const made: Value[] = [];
    try {
      for (const item of items) {
        throwIfAborted(signal);
        made.push(make(item, made.length));
      }
      return made;
    } catch (error) {
      made.forEach(freeCiphertext);
      throw error;
    }
  }

  function affineStep(stage: AffineStage, { elements, columns }: TileStep): StepEvaluation {
    const weights = weightsOf.get(stage) as StageWeights;
    return (values) =>
      collect(elements, (row, i) => {
        const start = stage.rowStart[row];
        const terms = columns[i]
          .map((column, k) => ({ ciphertext: values[column], weight: stage.weight[start + k] }))
          .filter(({ weight }) => weight !== 0);
        const sum = weights.sum(terms);
        const bias = stage.bias[row];
        return bias === 0 ? sum : consume([sum], evaluator.addPlain(sum, biasEncoder.encodeNumber(bias)));
      });
  }

  function sumStep(stage: SumStage, { columns }: TileStep): StepEvaluation {
    const weights = weightsOf.get(stage) as StageWeights;
    return (values) =>
      collect(columns, (own) => {
        const sum = evaluator.weightedSum(own.map((column) => ({ ciphertext: values[column], weight: 1 })));
        return consume([sum], weights.sum([{ ciphertext: sum, weight: stage.weight }]));
      });
  }

  function squared(value: Value): Value {
    const product = evaluator.square(value);
    return consume([product], evaluator.toNtt(product));
  }

  function prepareStep(step: TileStep): StepEvaluation {
    const { stage } = step;
    if (stage.op === "affine") return affineStep(stage, step);
    if (stage.op === "sum") return sumStep(stage, step);
    const each = stage.op === "square" ? squared : evaluator.relinearize;
    return (values) => collect(values, each);
  }

  function requireInput(input: BfvCiphertext): Value {
    const { domain } = input.components[0];
    if (input.context === context && input.level === maxLevel && domain === "ntt") return input as Value;
    throw new CrcnnError(
      input.context === context ? "LEVEL_MISMATCH" : "FOREIGN_OBJECT",
      `the plan takes ciphertexts in NTT form at level ${maxLevel} of parameters ${context.id}, got one in ${domain} form at level ` +
        `${input.level} of ${input.context.id}; encrypt inputs with encryptTensor under the plan's parameters`,
    );
  }

  return {
    prepareTile({ steps }) {
      const evaluations = steps.map(prepareStep);
      return (inputs) => {
        let values = inputs.map(requireInput);
        for (const [i, evaluate] of evaluations.entries()) {
          const used = values;
          try {
            values = evaluate(used);
          } finally {
            if (i > 0) used.forEach(freeCiphertext);
          }
        }
        return values;
      };
    },
    freeCiphertext,
    free() {
      for (const { polynomial } of prepared) polynomial.block.free();
      prepared.length = 0;
    },
  };
}

/** A result, once what it was made from is freed. */
function consume(used: readonly BfvCiphertext[], result: Value): Value {
  for (const ciphertext of used) freeCiphertext(ciphertext);
  return result;
}

function repeatedValues(values: Int32Array): Set<number> {
  const sorted = Int32Array.from(values).sort();
  return new Set(sorted.filter((value, i) => i > 0 && value === sorted[i - 1]));
}

function requireStages({ stages }: BatchPlan, { context, keys }: BfvEvaluator): void {
  if (stages.some(({ op }) => op === "rescale" || op === "switch-modulus")) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      "a plan that drops primes was made for batches; make one for this representation with compileElementwise",
    );
  }
  if (keys.relinearization || !stages.some(({ op }) => op === "relinearize")) return;
  // Where no key can exist, that is the answer.
  context.digits(context.maxLevel);
  throw new CrcnnError(
    "MISSING_KEY",
    "the plan relinearizes and the evaluator has no key for it; let the key's owner make it: owner.addKeys(compiled.keys)",
  );
}
