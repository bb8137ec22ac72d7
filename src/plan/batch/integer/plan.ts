/**
 * Batch plans on integers. An input is round(inputScale x), weights are the plan's integers, a bias is rounded at the scale of its sums, pools are
 * sums: what comes out is an integer that divided by the last scale is the network's output.
 */

import { CrcnnError } from "../../../errors/index.ts";
import type { BatchDraft, DraftMap } from "../draft.ts";
import type { BatchPlan, BatchStage } from "../plan.ts";
import { affineStage, type MeanInputs, sumStage } from "../quantize.ts";
import { scheduleBatch } from "../schedule.ts";

/** How inputs are encrypted, as the manifest has it. */
export interface IntegerInput {
  readonly inputLevel: number;
  /** Inputs are multiplied by this and rounded. */
  readonly inputScale: number;
}

/**
 * Rounds a draft's weights.
 *
 * @param weightBits By span, not necessarily whole.
 * @returns A plan without divisions. A square is relinearized where another one follows.
 */
export function integerPlan(
  { inputShape, spans, outputShape }: BatchDraft,
  weightBits: readonly number[],
  means: MeanInputs,
): BatchPlan {
  const lastSquare = spans.findLastIndex(({ square }) => square !== undefined);
  const stages = spans.flatMap(({ map, square, pool }, i): BatchStage[] => {
    const own: BatchStage[] = [];
    if (map) own.push(map.equal === undefined ? affineStage(map, weightBits[i], means[i]) : poolStage(map));
    if (square) own.push({ op: "square", layers: square });
    if (pool) own.push(poolStage(pool));
    if (square && i < lastSquare) own.push({ op: "relinearize", layers: square });
    return own;
  });
  return { inputShape, stages, outputShape };
}

const poolStage = (map: DraftMap): BatchStage => sumStage(map, map.equal as number);

/**
 * The plan with primes dropped: `drops[i]` of them behind the i-th square and its pool, before the relinearization, and the last entry behind
 * everything.
 */
export function withDrops({ stages, ...shapes }: BatchPlan, drops: readonly number[]): BatchPlan {
  const result: BatchStage[] = [];
  let squares = 0;
  for (const [i, stage] of stages.entries()) {
    result.push(stage);
    const behind = stages[i + 1]?.op;
    const endsSquare = stage.op === "square" ? behind !== "sum" : stage.op === "sum" && stages[i - 1]?.op === "square";
    const primes = endsSquare ? drops[squares++] : 0;
    if (primes > 0) result.push({ op: "switch-modulus", layers: stage.layers, primes });
  }
  const last = stages[stages.length - 1];
  if (drops[squares] > 0) result.push({ op: "switch-modulus", layers: last.layers, primes: drops[squares] });
  return { ...shapes, stages: result };
}

/** The integer that an input value becomes. */
export function quantizeValue(value: number, inputScale: number): number {
  // Not -0.
  return Math.round(value * inputScale) + 0;
}

/**
 * By stage, the integers that are added to its rows; none for stages that add nothing.
 *
 * @throws CrcnnError UNSUPPORTED_MODEL where a scale leaves the range of doubles.
 */
export function integerBiases(plan: BatchPlan, inputScale: number): (readonly bigint[])[] {
  const schedule = scheduleBatch(plan, { dataPrimes: [] }, { level: 0, scale: inputScale });
  return plan.stages.map((stage, i) => {
    const { scale } = schedule[i + 1];
    if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) {
      throw new CrcnnError(
        "UNSUPPORTED_MODEL",
        `layer ${stage.layers[0]}: its integers have a scale of ${scale}, beyond the range of doubles; set a re-encryption position before it`,
      );
    }
    return stage.op === "affine" ? Array.from(stage.bias, (bias) => BigInt(Math.round(bias * scale))) : [];
  });
}
