/**
 * Batch plans whose weights are exact in the fractional encoder: integers over a power of its base. One ciphertext a tensor element, one number
 * in each, and no scale, since the encoding has its point at a fixed place.
 */

import { CrcnnError } from "../../errors/index.ts";
import type { LayerRange } from "../plan.ts";
import type { BatchDraft, DraftMap } from "./draft.ts";
import type { AffineStage, BatchPlan, BatchStage, SumStage } from "./plan.ts";

/** Digits behind the point of a weight, at most: as many as PyCrCNN's encoder has. */
const MAX_FRACTION_DIGITS = 32;
const LARGEST_WEIGHT = 2 ** 31 - 1;

export interface FractionalPlanOptions {
  /** Base of the encoder. */
  readonly base: number;
  /** Whether products go back to two components. */
  readonly relinearization: boolean;
  /** Whether what the plan yields is decrypted next: then its last product stays as it is. */
  readonly last: boolean;
}

/** Digits behind the point of a stage's weights. */
export function stageFractionDigits(stage: AffineStage | SumStage, base: number): number {
  return stage.op === "sum"
    ? fractionDigitsFor(base, stage.weight, stage.layers)
    : Math.round(Math.log(stage.weightScale) / Math.log(base));
}

/** A draft with its weights rounded to as many digits as 32-bit integers hold. @throws CrcnnError VALUE_RANGE for weights above them. */
export function fractionalPlan(
  { inputShape, spans, outputShape }: BatchDraft,
  { base, relinearization, last }: FractionalPlanOptions,
): BatchPlan {
  const stages = spans.flatMap(({ map, square, pool }, i): BatchStage[] => {
    const own: BatchStage[] = [];
    if (map) own.push(map.equal === undefined ? affine(map, base) : sum(map, map.equal));
    if (square) own.push({ op: "square", layers: square });
    if (pool) own.push(sum(pool, pool.equal as number));
    if (square && relinearization && !(last && i === spans.length - 1)) own.push({ op: "relinearize", layers: square });
    return own;
  });
  return { inputShape, stages, outputShape };
}

/** As many as leave the largest weight a 32-bit integer. */
function fractionDigitsFor(base: number, largest: number, [layer]: LayerRange): number {
  if (largest > LARGEST_WEIGHT) {
    throw new CrcnnError(
      "VALUE_RANGE",
      `layer ${layer}: its largest weight is ${largest.toExponential(1)}, weights are at most ${LARGEST_WEIGHT}; scale the model's weights down`,
    );
  }
  let digits = 0;
  while (digits < MAX_FRACTION_DIGITS && largest * base ** (digits + 1) <= LARGEST_WEIGHT) digits++;
  return digits;
}

function affine({ layers, map, largest }: DraftMap, base: number): AffineStage {
  const { rowStart, column, weight, bias } = map;
  const weightScale = base ** fractionDigitsFor(base, largest, layers);
  return {
    op: "affine",
    layers,
    rowStart,
    column,
    weight: Int32Array.from(weight, (value) => Math.round(value * weightScale)),
    weightScale,
    bias,
  };
}

function sum({ layers, map: { rowStart, column } }: DraftMap, weight: number): SumStage {
  return { op: "sum", layers, rowStart, column, weight };
}
