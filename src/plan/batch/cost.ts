/** What a batch plan costs: limb operations, seconds, bytes on the wire, and the memory that an evaluation takes. */

import type { RlweParameters } from "../../rlwe/index.ts";
import { keyBytes, polynomialBytes } from "../cost.ts";
import {
  countDecompose,
  countDivide,
  countKeyProduct,
  countRaise,
  type KernelCounts,
  type MachineCosts,
  microseconds,
  none,
  plus,
  times,
  WASM_COSTS,
} from "../kernel-counts.ts";
import { type BatchOperations, prepareBatchProgram, runBatch } from "./encrypted.ts";
import type { BatchPlan } from "./plan.ts";
import { type BatchSchedule, demandBatchKeys } from "./schedule.ts";
import { type BatchTile, spansOf, tilesOf } from "./tiles.ts";

/** What a span does with one component and one limb: independent of parameters. */
export interface SpanWork {
  /** Products with a weight. */
  readonly entries: number;
  /** Columns that are cut into digits, and rows whose sums are reduced, over all tiles. */
  readonly columns: number;
  readonly rows: number;
  /** Elements that are squared. */
  readonly squares: number;
  readonly outputs: number;
}

/** Counts every span's work, tile by tile. */
export function measureSpans(plan: BatchPlan): SpanWork[] {
  return spansOf(plan).map((span) => {
    const works = tilesOf(span).map(workOf);
    const total = (key: keyof SpanWork): number => works.reduce((sum, work) => sum + work[key], 0);
    const [entries, columns, rows] = [total("entries"), total("columns"), total("rows")];
    return { entries, columns, rows, squares: total("squares"), outputs: total("outputs") };
  });
}

function workOf({ inputs, outputs, steps }: BatchTile): SpanWork {
  const square = steps.findIndex(({ stage }) => stage.op === "square");
  const linear = steps[0].columns.length > 0 ? steps[0] : undefined;
  return {
    entries: linear ? linear.columns.reduce((sum, { length }) => sum + length, 0) : 0,
    columns: linear ? inputs.length : 0,
    rows: linear ? linear.elements.length : 0,
    squares: square < 0 ? 0 : steps[square + 1]?.columns.reduce((sum, { length }) => sum + length, 0) || outputs.length,
    outputs: outputs.length,
  };
}

/** Microseconds a coefficient and limb that a span's weighted sums take. */
export function sumMicroseconds({ entries, columns, rows }: SpanWork, { sums }: MachineCosts): number {
  return entries * sums.entry + columns * sums.column + rows * sums.row;
}

/** What one evaluation of a plan sends. */
export interface BatchWireBytes {
  /** Of the relinearization key on the wire. */
  readonly keyBytes: number;
  /** Of all inputs, half of which travels as seeds, and of all outputs, on the wire. */
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** What one evaluation of a plan takes, for N / 2 images at once. */
export interface BatchCost extends BatchWireBytes {
  /** Products of limbs with small weights. */
  readonly weighted: number;
  /** All other calls. */
  readonly counts: KernelCounts;
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

/** What one span takes. */
interface SpanCost {
  readonly weighted: number;
  readonly counts: KernelCounts;
  readonly seconds: number;
}

/** By span; arguments as those of {@link estimateBatchCost}. */
export function costBySpan(
  plan: BatchPlan,
  work: readonly SpanWork[],
  { ringDegree, specialPrimes, digitPrimes }: RlweParameters,
  schedule: BatchSchedule,
  machine: MachineCosts = WASM_COSTS,
): SpanCost[] {
  const alpha = specialPrimes.length;
  return spansOf(plan).map(({ first, stages }, s) => {
    const { level, components } = schedule[first];
    const { entries, squares, outputs } = work[s];
    const limbs = components * (level + 1);
    // Three sums of products, one of which is doubled.
    const sums = limbs * sumMicroseconds(work[s], machine) + 3 * (level + 1) * squares * machine.sums.product;
    const doubled = squares > 0 ? { ...none, passes: (level + 1) * outputs } : none;
    const switches = stages.some(({ op }) => op === "relinearize");
    const dropped = stages.reduce((sum, stage) => sum + (stage.op === "rescale" ? stage.primes : 0), 0);
    const divided = dropped + (switches ? alpha : 0);
    const each = switches
      ? plus(
          countDecompose(level, alpha, digitPrimes),
          plus(countKeyProduct(level, alpha, digitPrimes), countRaise(level)),
        )
      : none;
    const kept = schedule[first + stages.length].components;
    const division = divided > 0 ? countDivide(level + 1 - dropped, divided) : none;
    const counts = plus(doubled, times(outputs, plus(each, times(kept, division))));
    const seconds = (microseconds(counts, ringDegree, machine) + ringDegree * sums) / 1e6;
    return { weighted: limbs * entries, counts, seconds };
  });
}

/**
 * @param work As {@link measureSpans} counts it.
 * @param machine The prices that plans are chosen by, or those that `calibrateCosts` measured.
 */
export function estimateBatchCost(
  plan: BatchPlan,
  work: readonly SpanWork[],
  parameters: RlweParameters,
  schedule: BatchSchedule,
  machine: MachineCosts = WASM_COSTS,
): BatchCost {
  const { ringDegree } = parameters;
  const spans = costBySpan(plan, work, parameters, schedule, machine);
  const seconds = spans.reduce((sum, span) => sum + span.seconds, 0);
  return {
    ...batchWireBytes(plan, work, parameters, schedule),
    weighted: spans.reduce((sum, span) => sum + span.weighted, 0),
    counts: spans.reduce((sum, span) => plus(sum, span.counts), none),
    seconds,
    imagesPerSecond: ringDegree / 2 / seconds,
  };
}

export function batchWireBytes(
  plan: BatchPlan,
  work: readonly SpanWork[],
  parameters: RlweParameters,
  schedule: BatchSchedule,
): BatchWireBytes {
  const { relinearization } = demandBatchKeys(plan, schedule);
  const last = schedule[schedule.length - 1];
  const inputs = plan.inputShape.reduce((product, axis) => product * axis, 1);
  return {
    keyBytes: relinearization < 0 ? 0 : keyBytes(parameters, relinearization),
    inputBytes: inputs * polynomialBytes(parameters, schedule[0].level),
    outputBytes: work[work.length - 1].outputs * last.components * polynomialBytes(parameters, last.level),
  };
}

/** Largest number of bytes that inputs, kept elements and outputs take at any time of an evaluation, the evaluator's scratch apart. */
export function peakBytes(plan: BatchPlan, { ringDegree }: RlweParameters, schedule: BatchSchedule): number {
  const bytesAt = (index: number): number => 4 * ringDegree * schedule[index].components * (schedule[index].level + 1);
  const spans = spansOf(plan);
  const ends = new Map(spans.map(({ first, stages }) => [first, first + stages.length]));
  const input = bytesAt(0);
  const inputs = new Array<number>(spans[0].inputs).fill(input);
  let live = inputs.length * input;
  let peak = live;
  const counting: BatchOperations<number> = {
    prepareTile: (tile, first) => () => {
      const bytes = bytesAt(ends.get(first) as number);
      live += tile.outputs.length * bytes;
      peak = Math.max(peak, live);
      return tile.outputs.map(() => bytes);
    },
    freeCiphertext: (bytes) => {
      live -= bytes;
    },
    free() {},
  };
  runBatch(prepareBatchProgram(plan, counting), inputs);
  return peak;
}
