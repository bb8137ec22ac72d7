/**
 * What values an integer network can take, exactly: intervals are handed through the plan in big integers. Everything is computed modulo
 * the plain modulus, where sums and products are exact, so values between may wrap around as they like; only outputs must not.
 */

import { sizeOf } from "../../tensor.ts";
import type { AffineStage, BatchPlan, BatchStage, SumStage } from "../plan.ts";
import { integerBiases, quantizeValue } from "./plan.ts";

/** Both ends are included. */
export interface IntegerBounds {
  readonly low: bigint;
  readonly high: bigint;
}

/** Intervals, one an element. */
interface Intervals {
  readonly lows: readonly bigint[];
  readonly highs: readonly bigint[];
}

/**
 * An interval that holds every output for every input with values in a range. Tight for a single map; squares and what follows take
 * elements for independent of each other, so with them it may be wider than what inputs can reach.
 */
export function boundOutputs(
  plan: BatchPlan,
  inputScale: number,
  [low, high]: readonly [low: number, high: number],
): IntegerBounds {
  const size = sizeOf(plan.inputShape);
  const input = (value: number): bigint[] => new Array<bigint>(size).fill(BigInt(quantizeValue(value, inputScale)));
  const biases = integerBiases(plan, inputScale);
  const { lows, highs } = plan.stages.reduce<Intervals>(
    (before, stage, i) => boundStage(stage, biases[i], before),
    // Rounding keeps the order of values.
    { lows: input(low), highs: input(high) },
  );
  return { low: lows.reduce(smaller), high: highs.reduce(larger) };
}

const smaller = (left: bigint, right: bigint): bigint => (left < right ? left : right);
const larger = (left: bigint, right: bigint): bigint => (left > right ? left : right);

function boundStage(stage: BatchStage, biases: readonly bigint[], before: Intervals): Intervals {
  switch (stage.op) {
    case "affine":
    case "sum":
      return boundSums(stage, biases, before);
    case "square":
      return {
        lows: before.lows.map((low, i) => {
          const high = before.highs[i];
          return low <= 0n && high >= 0n ? 0n : smaller(low * low, high * high);
        }),
        highs: before.lows.map((low, i) => larger(low * low, before.highs[i] * before.highs[i])),
      };
    default:
      return before;
  }
}

function boundSums(stage: AffineStage | SumStage, biases: readonly bigint[], { lows, highs }: Intervals): Intervals {
  const { rowStart, column } = stage;
  const sums = { lows: [] as bigint[], highs: [] as bigint[] };
  for (let row = 0; row < rowStart.length - 1; row++) {
    let [low, high] = [biases[row] ?? 0n, biases[row] ?? 0n];
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) {
      const weight = stage.op === "affine" ? BigInt(stage.weight[k]) : 1n;
      const [least, most] = [lows[column[k]], highs[column[k]]];
      low += weight * (weight < 0n ? most : least);
      high += weight * (weight < 0n ? least : most);
    }
    sums.lows.push(low);
    sums.highs.push(high);
  }
  return sums;
}
