/** The Plan in the clear: plain vectors, exact up to double rounding. Checks a layout in milliseconds, and measures value ranges. */

import { packInput, unpackOutput } from "./packing.ts";
import type { Plan, PlanNode } from "./plan.ts";
import type { Tensor } from "./tensor.ts";

/** Slot values of every node for these input vectors. */
export function evaluateNodes(plan: Plan, inputs: readonly Float64Array[]): Float64Array[] {
  const values: Float64Array[] = [];
  for (const node of plan.nodes) values.push(evaluateNode(node, plan.slots, values, inputs));
  return values;
}

/** Runs the plan on a tensor without any encryption. */
export function runClear(plan: Plan, input: Tensor): Tensor {
  const values = evaluateNodes(plan, packInput(plan.input, input));
  return unpackOutput(
    plan.output,
    plan.slots,
    plan.outputs.map((id) => values[id]),
  );
}

function evaluateNode(
  node: PlanNode,
  slots: number,
  values: readonly Float64Array[],
  inputs: readonly Float64Array[],
): Float64Array {
  switch (node.op) {
    case "input":
      return inputs[node.index];
    case "rotate": {
      const source = values[node.source];
      const rotated = new Float64Array(slots);
      rotated.set(source.subarray(node.steps));
      rotated.set(source.subarray(0, node.steps), slots - node.steps);
      return rotated;
    }
    case "weightedSum": {
      const sum = new Float64Array(slots);
      for (const { source, weights } of node.terms) {
        const vector = values[source];
        for (let t = 0; t < slots; t++) sum[t] += weights[t] * vector[t];
      }
      return sum;
    }
    case "add":
      return values[node.left].map((value, t) => value + values[node.right][t]);
    case "addPlain":
      return values[node.source].map((value, t) => value + node.values[t]);
    case "square":
      return values[node.source].map((value) => value * value);
    case "relinearize":
    case "rescale":
    case "dropLevels":
      return values[node.source];
  }
}
