/** Checks of weights that all readers share. */

import { CrcnnError } from "../../errors/index.ts";
import type { Shape } from "../../plan/index.ts";
import { MAX_ELEMENTS } from "./limits.ts";

/** Counts the weights of all layers of a model against the limit. */
export interface ElementBudget {
  spent: number;
}

/**
 * Counts a tensor, before anything is allocated for it.
 *
 * @param label what messages call the layer.
 * @throws CrcnnError LIMIT_EXCEEDED when the model has more than {@link MAX_ELEMENTS} weights with this one.
 */
export function spendElements(budget: ElementBudget, shape: Shape, label: string): void {
  budget.spent += shape.reduce((product, length) => product * length, 1);
  if (budget.spent > MAX_ELEMENTS) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${label}: the network has more than ${MAX_ELEMENTS} weights up to here`);
  }
}

/** @throws CrcnnError INVALID_FILE where a weight is NaN or infinite. `label` and `name` are those of the layer and the tensor. */
export function requireFinite(data: Float64Array, label: string, name: string): void {
  const bad = data.findIndex((element) => !Number.isFinite(element));
  if (bad >= 0) throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is ${data[bad]} at element ${bad}`);
}
