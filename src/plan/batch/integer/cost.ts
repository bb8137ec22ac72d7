/** What an integer plan costs, for one plain modulus: seconds, and bytes on the wire. */

import { auxiliaryCount, type BfvParameters, squareWork } from "../../../bfv/index.ts";
import {
  countDecompose,
  countDivide,
  countKeyProduct,
  type KernelCounts,
  microseconds,
  none,
  plus,
  times,
  WASM_COSTS,
} from "../../kernel-counts.ts";
import { type BatchWireBytes, batchWireBytes, type SpanWork, sumMicroseconds } from "../cost.ts";
import type { BatchPlan } from "../plan.ts";
import type { BatchSchedule } from "../schedule.ts";
import { spansOf } from "../tiles.ts";

/** What one evaluation takes, modulo one plain modulus, for N images at once. */
export interface IntegerCost extends BatchWireBytes {
  /** Products of limbs with small weights. */
  readonly weighted: number;
  readonly seconds: number;
}

/** @param work As `measureSpans` counts it. */
export function estimateIntegerCost(
  plan: BatchPlan,
  work: readonly SpanWork[],
  parameters: BfvParameters,
  schedule: BatchSchedule,
  productTerms: number,
): IntegerCost {
  const { ringDegree, plainModulus, specialPrimes, digitPrimes } = parameters;
  const alpha = specialPrimes.length;
  let counts: KernelCounts = none;
  let [weighted, sums] = [0, 0];
  for (const [s, { first, stages }] of spansOf(plan).entries()) {
    const { level, components } = schedule[first];
    const { entries, squares, outputs } = work[s];
    weighted += components * (level + 1) * entries;
    sums += components * (level + 1) * sumMicroseconds(work[s], WASM_COSTS);
    const dataPrimes = parameters.dataPrimes.slice(0, level + 1);
    const auxiliary = auxiliaryCount({ ringDegree, plainModulus, dataPrimes, productTerms }, "hps");
    const dropped = stages.reduce((sum, stage) => sum + (stage.op === "switch-modulus" ? stage.primes : 0), 0);
    const kept = level + 1 - dropped;
    if (squares > 0) {
      const { transforms, passes } = squareWork(level + 1, auxiliary, squares, outputs);
      counts = plus(counts, { ...none, transforms, passes: passes + 3 * outputs * dropped * kept });
    } else if (dropped > 0) {
      counts = plus(counts, times(outputs * components, countDivide(kept, dropped)));
    }
    if (!stages.some(({ op }) => op === "relinearize")) continue;
    const each = plus(
      plus(countDecompose(kept - 1, alpha, digitPrimes), countKeyProduct(kept - 1, alpha, digitPrimes)),
      times(2, countDivide(kept, alpha)),
    );
    counts = plus(counts, times(outputs, each));
  }
  return {
    ...batchWireBytes(plan, work, parameters, schedule),
    weighted,
    seconds: (microseconds(counts, ringDegree, WASM_COSTS) + ringDegree * sums) / 1e6,
  };
}
