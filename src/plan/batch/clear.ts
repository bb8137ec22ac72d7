/** The batch plan in the clear, in doubles and with the plan's own integer weights: what encryption's noise comes on top of. */

import { type Tensor, tensor } from "../tensor.ts";
import type { BatchPlan, BatchStage } from "./plan.ts";

/** Runs the plan on one image. */
export function runBatchClear({ stages, outputShape }: BatchPlan, input: Tensor): Tensor {
  return tensor(
    outputShape,
    stages.reduce((values, stage) => applyStage(stage, values), input.data),
  );
}

/** One stage on the values of its input elements. */
export function applyStage(stage: BatchStage, values: Float64Array): Float64Array {
  switch (stage.op) {
    case "affine": {
      const { rowStart, column, weight, weightScale, bias } = stage;
      return bias.map((constant, row) => {
        let sum = 0;
        for (let k = rowStart[row]; k < rowStart[row + 1]; k++) sum += weight[k] * values[column[k]];
        return sum / weightScale + constant;
      });
    }
    case "sum": {
      const { rowStart, column, weight } = stage;
      return Float64Array.from({ length: rowStart.length - 1 }, (_, row) => {
        let sum = 0;
        for (let k = rowStart[row]; k < rowStart[row + 1]; k++) sum += values[column[k]];
        return sum * weight;
      });
    }
    case "square":
      return values.map((value) => value * value);
    default:
      return values;
  }
}
