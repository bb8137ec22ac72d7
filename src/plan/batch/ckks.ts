/** CKKS operations for the batch packing: sums, squares and pools of a tile slot by slot, then key switches and divisions. */

import type { CkksCiphertext } from "../../ckks/index.ts";
import { CrcnnError } from "../../errors/index.ts";
import { allocatePolynomial, divideEachRoundByLast, type Polynomial, reduceInteger } from "../../math/index.ts";
import { freeCiphertext } from "../../rlwe/index.ts";
import type { Evaluator } from "../evaluator.ts";
import type { BatchOperations } from "./encrypted.ts";
import { createLinearSums, type LinearSums, weightedRows } from "./linear-sums.ts";
import type { BatchPlan } from "./plan.ts";
import { demandBatchKeys, scheduleBatch } from "./schedule.ts";
import { evaluateSlots, type SlotwiseTile } from "./slotwise.ts";
import type { BatchTile, TileStep } from "./tiles.ts";

/** Level and scale of inputs, as the manifest has them. */
export interface BatchInput {
  readonly inputLevel: number;
  readonly inputScale: number;
}

/**
 * Operations for one plan, on an evaluator's ring and with its keys.
 *
 * @throws CrcnnError MISSING_KEY when the plan relinearizes and the key is missing or too short, UNSUPPORTED_MODEL for a plan for BFV.
 */
export function createCkksBatchOperations(
  plan: BatchPlan,
  evaluator: Evaluator,
  { inputLevel, inputScale }: BatchInput,
): BatchOperations<CkksCiphertext> {
  const { context, operations } = evaluator;
  const { ring } = context;
  if (plan.stages.some(({ op }) => op === "switch-modulus")) {
    throw new CrcnnError("UNSUPPORTED_MODEL", 'the plan was made for BFV; compile the model with scheme "ckks"');
  }
  const schedule = scheduleBatch(plan, context.parameters, { level: inputLevel, scale: inputScale });
  evaluator.requireKeys(demandBatchKeys(plan, schedule));
  const sums = createLinearSums(ring);

  /** The first stages, which work slot by slot. */
  function prepareSlots({ inputs, outputs, steps }: BatchTile, first: number): SlotwiseTile {
    const own = steps.filter(isSlotwise);
    const square = own.findIndex(({ stage }) => stage.op === "square");
    const linear = own[0] && "rowStart" in own[0].stage ? own[0] : undefined;
    const pool = square >= 0 ? own[square + 1] : undefined;
    const { level } = schedule[first];
    return {
      level,
      inputs: inputs.length,
      outputs: outputs.length,
      linear: linear && prepareLinear(linear, inputs.length, schedule[first + 1].scale, level),
      squares: square < 0 ? undefined : (pool?.columns ?? outputs.map((_, i) => [i])),
    };
  }

  function prepareLinear(step: TileStep, width: number, scale: number, level: number): LinearSums {
    const { stage, elements } = step;
    const biases = elements.map((row) => (stage.op === "affine" ? Math.round(stage.bias[row] * scale) : 0));
    return sums.prepare({
      columns: width,
      rows: weightedRows(step),
      biases: ring.moduli
        .slice(0, level + 1)
        .map((modulus) => Int32Array.from(biases, (bias) => reduceInteger(bias, modulus))),
    });
  }

  /** Relinearization and rescaling, at once where both come. Frees the ciphertext, unless it is what is returned. */
  function finish(ciphertext: CkksCiphertext, steps: readonly TileStep[]): CkksCiphertext {
    const relinearizes = steps.some(({ stage }) => stage.op === "relinearize");
    const primes = steps.reduce((count, { stage }) => count + (stage.op === "rescale" ? stage.primes : 0), 0);
    if (!relinearizes && primes === 0) return ciphertext;
    let result: CkksCiphertext;
    if (relinearizes) {
      const raised = operations.raised.relinearize(ciphertext);
      result = primes > 0 ? operations.raised.lowerAndRescale(raised, primes) : operations.raised.lower(raised);
      for (const { block } of raised.components) block.free();
    } else {
      result = dropPrimes(ciphertext, primes);
    }
    freeCiphertext(ciphertext);
    return result;
  }

  function dropPrimes({ components, level, scale }: CkksCiphertext, primes: number): CkksCiphertext {
    const dropped = ring.moduli.slice(level + 1 - primes, level + 1);
    return {
      context,
      components: divideEachRoundByLast(components, primes),
      level: level - primes,
      scale: dropped.reduce((rest, { value }) => rest / value, scale),
    };
  }

  function requireInput(ciphertext: CkksCiphertext, first: number): void {
    const { level, scale, components } = schedule[first];
    if (ciphertext.context !== context) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `the batch plan's input belongs to parameters ${ciphertext.context.id}, the evaluator to ${context.id}; encrypt it for the latter`,
      );
    }
    const fits =
      ciphertext.level === level && ciphertext.scale === scale && ciphertext.components.length === components;
    if (first > 0 || fits) return;
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `the batch plan takes ciphertexts of ${components} components at level ${level} and scale ${scale}, got one of ` +
        `${ciphertext.components.length} at level ${ciphertext.level} and scale ${ciphertext.scale}; encrypt inputs with encryptBatch`,
    );
  }

  return {
    prepareTile(tile, first) {
      const slots = prepareSlots(tile, first);
      const rest = tile.steps.filter((step) => !isSlotwise(step));
      const slotwise = tile.steps.length - rest.length;
      const { components: before } = schedule[first];
      const { components: after, level, scale } = schedule[first + slotwise];
      const basis = context.dataBasis(level);
      return (inputs) => {
        for (const input of inputs) requireInput(input, first);
        const results = tile.outputs.map(() =>
          Array.from({ length: after }, (): Polynomial<"ntt"> => allocatePolynomial(ring, basis, "ntt")),
        );
        evaluateSlots(context, slots, inputs, before, results);
        return results.map((components) => finish({ context, components, level, scale }, rest));
      };
    },
    freeCiphertext,
    free: sums.free,
  };
}

const isSlotwise = ({ stage: { op } }: TileStep): boolean => op === "affine" || op === "sum" || op === "square";
