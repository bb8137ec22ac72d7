/**
 * BFV operations for integer plans, modulo one plain modulus: sums of a tile slot by slot, as under CKKS, then squares that are pooled before
 * their one scaling, and primes dropped before the relinearization.
 */

import { type BfvCiphertext, type BfvEvaluator, MAX_SQUARES, sumOfSquares } from "../../../bfv/index.ts";
import { CrcnnError } from "../../../errors/index.ts";
import {
  addInPlace,
  allocatePolynomial,
  divideCoefficientsRoundByLast,
  divideEachRoundByLast,
  type Polynomial,
  toNtt,
} from "../../../math/index.ts";
import { freeCiphertext } from "../../../rlwe/index.ts";
import type { BatchOperations } from "../encrypted.ts";
import { createLinearSums, type LinearSums, weightedRows } from "../linear-sums.ts";
import type { BatchPlan } from "../plan.ts";
import { type BatchSchedule, scheduleBatch } from "../schedule.ts";
import { evaluateSlots } from "../slotwise.ts";
import type { BatchTile, TileStep } from "../tiles.ts";
import { type IntegerInput, integerBiases } from "./plan.ts";

type Value = BfvCiphertext<"ntt">;
/** Components of an element. */
type Element = readonly Polynomial<"ntt">[];

/**
 * Operations for one plan, on an evaluator's ring and with its keys. The results are residues modulo the evaluator's plain modulus.
 *
 * @throws CrcnnError MISSING_KEY when the plan relinearizes and the key is missing or too short, UNSUPPORTED_MODEL for a plan that rescales,
 * which was made for CKKS.
 */
export function createIntegerBatchOperations(
  plan: BatchPlan,
  evaluator: BfvEvaluator,
  { inputLevel, inputScale }: IntegerInput,
): BatchOperations<Value> {
  const { context } = evaluator;
  const { ring } = context;
  const schedule = scheduleBatch(plan, context.parameters, { level: inputLevel, scale: inputScale });
  requireStages(plan, schedule, evaluator);
  const biases = integerBiases(plan, inputScale);
  const scaled = createBiasScaling(evaluator);
  const sums = createLinearSums(ring);

  function prepareLinear(step: TileStep, width: number, first: number): LinearSums {
    const own = step.elements.map((row) => biases[first][row] ?? 0n);
    return sums.prepare({ columns: width, rows: weightedRows(step), biases: scaled(own, schedule[first].level) });
  }

  /** All sums of a tile; without any the inputs themselves. */
  function sumElements(linear: LinearSums | undefined, inputs: readonly Value[], first: number): readonly Element[] {
    if (!linear) return inputs.map(({ components }) => components);
    const { level, components } = schedule[first];
    const basis = context.dataBasis(level);
    const results = Array.from({ length: linear.rows }, () =>
      Array.from({ length: components }, (): Polynomial<"ntt"> => allocatePolynomial(ring, basis, "ntt")),
    );
    const tile = { level, inputs: inputs.length, outputs: linear.rows, linear, squares: undefined };
    evaluateSlots(context, tile, inputs, components, results);
    return results;
  }

  function sumSquares(elements: readonly Element[]): Polynomial<"coefficient">[] {
    const total = sumOfSquares(context, elements.slice(0, MAX_SQUARES));
    for (let start = MAX_SQUARES; start < elements.length; start += MAX_SQUARES) {
      for (const [i, part] of sumOfSquares(context, elements.slice(start, start + MAX_SQUARES)).entries()) {
        addInPlace(total[i], part);
        part.block.free();
      }
    }
    return total;
  }

  /** What follows a square: primes are dropped and three components become two, or all of them are transformed. */
  function finishSquare(product: readonly Polynomial<"coefficient">[], level: number, ending: Ending): Value {
    let components = product;
    if (ending.dropped > 0) {
      components = divideCoefficientsRoundByLast(product, ending.dropped);
      freeAll(product);
    }
    if (!ending.relinearizes) return { context, components: components.map(toNtt), level: level - ending.dropped };
    const result = evaluator.relinearize({ context, components, level: level - ending.dropped });
    freeAll(components);
    return result;
  }

  function finishSums(components: Element, level: number, { dropped }: Ending): Value {
    if (dropped === 0) return { context, components, level };
    const kept = divideEachRoundByLast(components, dropped);
    freeAll(components);
    return { context, components: kept, level: level - dropped };
  }

  function requireInput(input: Value): void {
    const { level, components } = schedule[0];
    if (input.context !== context) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `the batch plan's input belongs to parameters ${input.context.id}, the evaluator to ${context.id}; encrypt it for the residue ` +
          "that the evaluator computes",
      );
    }
    const { domain } = input.components[0];
    if (input.level === level && input.components.length === components && domain === "ntt") return;
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `the batch plan takes ciphertexts of ${components} components in NTT form at level ${level}, got one of ${input.components.length} in ` +
        `${domain} form at level ${input.level}; encrypt inputs with encryptBatch`,
    );
  }

  return {
    prepareTile({ inputs: tileInputs, outputs, steps }: BatchTile, first) {
      const own = steps[0].columns.length > 0 ? steps[0] : undefined;
      const linear = own && prepareLinear(own, tileInputs.length, first);
      const square = steps.findIndex(({ stage }) => stage.op === "square");
      const pools = steps[square + 1]?.stage.op === "sum" ? steps[square + 1].columns : outputs.map((_, i) => [i]);
      const { level } = schedule[first];
      const ending = endingOf(steps);
      return (inputs) => {
        if (first === 0) inputs.forEach(requireInput);
        const elements = sumElements(linear, inputs, first);
        if (square < 0) return elements.map((components) => finishSums(components, level, ending));
        const results = pools.map((pool) =>
          finishSquare(sumSquares(pool.map((element) => elements[element])), level, ending),
        );
        if (linear) for (const components of elements) freeAll(components);
        return results;
      };
    },
    freeCiphertext,
    free: sums.free,
  };
}

interface Ending {
  readonly dropped: number;
  readonly relinearizes: boolean;
}

function endingOf(steps: readonly TileStep[]): Ending {
  return {
    dropped: steps.reduce((count, { stage }) => count + (stage.op === "switch-modulus" ? stage.primes : 0), 0),
    relinearizes: steps.some(({ stage }) => stage.op === "relinearize"),
  };
}

function freeAll(polynomials: readonly Polynomial[]): void {
  for (const { block } of polynomials) block.free();
}

/** Residues, by limb, of round(Q b / t): the constant that adds b to every slot. */
function createBiasScaling({ context }: BfvEvaluator): (biases: readonly bigint[], level: number) => Int32Array[] {
  const { ring, parameters, plainModulus } = context;
  const t = BigInt(plainModulus);
  return (biases, level) => {
    const modulus = parameters.dataPrimes.slice(0, level + 1).reduce((product, prime) => product * BigInt(prime), 1n);
    const scaled = biases.map((bias) => {
      const residue = ((bias % t) + t) % t;
      return (2n * modulus * residue + t) / (2n * t);
    });
    return context.dataBasis(level).map((index) => {
      const prime = BigInt(ring.moduli[index].value);
      return Int32Array.from(scaled, (value) => Number(value % prime));
    });
  };
}

function requireStages({ stages }: BatchPlan, schedule: BatchSchedule, { context, keys }: BfvEvaluator): void {
  if (stages.some(({ op }) => op === "rescale")) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      'a plan that rescales was made for CKKS; compile the model with scheme "bfv"',
    );
  }
  const at = stages.findIndex(({ op }) => op === "relinearize");
  if (at < 0 || (keys.relinearization?.level ?? -1) >= schedule[at].level) return;
  // Where no key can exist, that is the answer.
  context.digits(context.maxLevel);
  throw new CrcnnError(
    "MISSING_KEY",
    `the plan relinearizes at level ${schedule[at].level} and the evaluator has no key for it; make the owner from the compiled manifest`,
  );
}
