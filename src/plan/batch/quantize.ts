/** From a draft to a plan: weights become integers, pools become sums, and divisions stand where primes are to be dropped. */

import type { AffineMap } from "../affine-map.ts";
import type { BatchDraft, DraftMap } from "./draft.ts";
import type { AffineStage, BatchPlan, BatchStage, SumStage } from "./plan.ts";

/** Bits of a weight with its sign: signed words of 16 bits, symmetric. */
export const MAX_WEIGHT_BITS = 16;

export interface BatchNumbers {
  /** By span: bits of the weights with their sign, not necessarily whole; unused where a span has no map, or a pool. */
  readonly weightBits: readonly number[];
  /** By span: primes that are dropped behind it, 0 for none. */
  readonly drops: readonly number[];
}

/** The scale at which the largest weight of a map takes so many bits with its sign. */
export function weightScaleFor({ weight }: AffineMap, bits: number): number {
  const largest = weight.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest === 0 ? 1 : (2 ** (bits - 1) - 1) / largest;
}

export function quantizeBatch(
  { inputShape, spans, outputShape }: BatchDraft,
  { weightBits, drops }: BatchNumbers,
): BatchPlan {
  const stages = spans.flatMap(({ map, square, pool }, i): BatchStage[] => {
    const last = i === spans.length - 1;
    const own: BatchStage[] = [];
    if (map) own.push(map.equal === undefined ? affineStage(map, weightBits[i]) : sumStage(map, map.equal));
    if (square) own.push({ op: "square", layers: square });
    if (pool) own.push(sumStage(pool, pool.equal as number));
    const layers = own[own.length - 1].layers;
    // What is decrypted next needs neither.
    if (square && !last) own.push({ op: "relinearize", layers });
    if (drops[i] > 0) own.push({ op: "rescale", layers, primes: drops[i] });
    return own;
  });
  return { inputShape, stages, outputShape };
}

/** Weights that round to 0 stay: rows with the same columns are summed together. */
export function affineStage({ layers, map }: DraftMap, bits: number): AffineStage {
  const { rowStart, column, bias } = map;
  const weightScale = weightScaleFor(map, bits);
  const weight = Int32Array.from(map.weight, (value) => Math.round(value * weightScale));
  return { op: "affine", layers, rowStart, column, weight, weightScale, bias };
}

function sumStage({ layers, map: { rowStart, column } }: DraftMap, weight: number): SumStage {
  return { op: "sum", layers, rowStart, column, weight };
}
