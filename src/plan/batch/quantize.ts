/** From a draft to a plan: weights become integers, pools become sums, and divisions stand where primes are to be dropped. */

import { MAX_WEIGHT_SUM } from "../../math/index.ts";
import type { BatchDraft, DraftMap } from "./draft.ts";
import type { AffineStage, BatchPlan, BatchStage, SumStage } from "./plan.ts";

/** Bits of a weight with its sign: signed words of 16 bits, symmetric. */
export const MAX_WEIGHT_BITS = 16;
export const MIN_WEIGHT_BITS = 4;
/** Rounding may make a row's sum a little larger than its real weights. */
const UNCUT = 0.995;

export interface BatchNumbers {
  /** By span: bits of the weights with their sign, not necessarily whole; unused where a span has no map, or a pool. */
  readonly weightBits: readonly number[];
  /** By span: primes that are dropped behind it, 0 for none. */
  readonly drops: readonly number[];
}

/** By span: mean value of each element that enters it. */
export type MeanInputs = readonly Float64Array[];

/** The most bits of a map's weights with which every row is one uninterrupted sum: with more, rows are cut, and cost more. */
export function uncutWeightBits({ largest, largestSum }: DraftMap): number {
  if (largestSum === 0) return MAX_WEIGHT_BITS;
  const bits = 1 + Math.log2((UNCUT * MAX_WEIGHT_SUM * largest) / largestSum);
  return Math.max(MIN_WEIGHT_BITS, Math.min(MAX_WEIGHT_BITS, bits));
}

/** Makes the plan: everything is decided. */
export function quantizeBatch(draft: BatchDraft, numbers: BatchNumbers, means: MeanInputs): BatchPlan {
  return assemble(draft, numbers, (map, bits, span) => affineStage(map, bits, means[span]));
}

/** The same plan without its weights: enough for scales, noise and cost, which a search asks for again and again. */
export function outlineBatch(draft: BatchDraft, numbers: BatchNumbers): BatchPlan {
  return assemble(draft, numbers, outlineStage);
}

function assemble(
  { inputShape, spans, outputShape }: BatchDraft,
  { weightBits, drops }: BatchNumbers,
  makeAffine: (map: DraftMap, bits: number, span: number) => AffineStage,
): BatchPlan {
  const stages = spans.flatMap(({ map, square, pool }, i): BatchStage[] => {
    const last = i === spans.length - 1;
    const own: BatchStage[] = [];
    if (map) own.push(map.equal === undefined ? makeAffine(map, weightBits[i], i) : sumStage(map, map.equal));
    if (square) own.push({ op: "square", layers: square });
    if (pool) own.push(sumStage(pool, pool.equal as number));
    const { layers } = own[own.length - 1];
    // What is decrypted next needs neither.
    if (square && !last) own.push({ op: "relinearize", layers });
    if (drops[i] > 0) own.push({ op: "rescale", layers, primes: drops[i] });
    return own;
  });
  return { inputShape, stages, outputShape };
}

function outlineStage({ layers, map, largest }: DraftMap, bits: number): AffineStage {
  const { rowStart, column, bias } = map;
  // The largest weight takes all the bits.
  const weightScale = largest === 0 ? 1 : (2 ** (bits - 1) - 1) / largest;
  return { op: "affine", layers, rowStart, column, weight: new Int32Array(0), weightScale, bias };
}

/**
 * Weights that round to 0 stay: rows with the same columns are summed together. What rounding does to the mean input is taken into the bias,
 * where it costs nothing (bias correction: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
 * section 4.2).
 */
export function affineStage(draft: DraftMap, bits: number, means: Float64Array): AffineStage {
  const outline = outlineStage(draft, bits);
  const { rowStart, column, weight: exact } = draft.map;
  const weight = Int32Array.from(exact, (value) => Math.round(value * outline.weightScale));
  const bias = draft.map.bias.map((own, row) => {
    let missing = 0;
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) {
      missing += (exact[k] - weight[k] / outline.weightScale) * means[column[k]];
    }
    return own + missing;
  });
  return { ...outline, weight, bias };
}

export function sumStage({ layers, map: { rowStart, column } }: DraftMap, weight: number): SumStage {
  return { op: "sum", layers, rowStart, column, weight };
}
