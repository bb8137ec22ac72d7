/** The integer network in the clear, in big integers: what decryption must give, bit for bit. */

import { sizeOf, type Tensor } from "../../tensor.ts";
import type { BatchPlan, BatchStage } from "../plan.ts";
import { integerBiases, quantizeValue } from "./plan.ts";

/**
 * Runs the plan on one image.
 *
 * @returns One integer an output element.
 */
export function runIntegerClear(plan: BatchPlan, inputScale: number, input: Tensor): bigint[] {
  const biases = integerBiases(plan, inputScale);
  const values = Array.from({ length: sizeOf(plan.inputShape) }, (_, i) =>
    BigInt(quantizeValue(input.data[i], inputScale)),
  );
  return plan.stages.reduce((before, stage, i) => applyToIntegers(stage, biases[i], before), values);
}

function applyToIntegers(stage: BatchStage, biases: readonly bigint[], values: readonly bigint[]): bigint[] {
  if (stage.op === "square") return values.map((value) => value * value);
  if (!("rowStart" in stage)) return [...values];
  const { rowStart, column } = stage;
  return Array.from({ length: rowStart.length - 1 }, (_, row) => {
    let sum = biases[row] ?? 0n;
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) {
      sum += stage.op === "affine" ? BigInt(stage.weight[k]) * values[column[k]] : values[column[k]];
    }
    return sum;
  });
}
