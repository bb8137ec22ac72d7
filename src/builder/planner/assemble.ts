/** From the decisions of a search to a lowered network: the last polish, factors taken into weights, and the weights. */

import {
  type AffineChoice,
  type InputPacking,
  type Layout,
  type LevelPrices,
  type LoweredNetwork,
  type LoweredStage,
  materialize,
  type PoolChoice,
  polishChoice,
} from "../../plan/index.ts";
import type { LayerRange } from "./groups.ts";

/** What a search has decided for one stage. */
export type Decision =
  | { readonly kind: "affine"; readonly layers: LayerRange; readonly choice: AffineChoice }
  | { readonly kind: "pool"; readonly layers: LayerRange; readonly choice: PoolChoice }
  | { readonly kind: "square"; readonly layers: LayerRange; readonly layout: Layout };

export interface AssembleOptions {
  readonly packing: InputPacking;
  readonly output: Layout;
  /** By products to come. */
  readonly prices: readonly LevelPrices[];
}

export function assemble(decisions: readonly Decision[], { packing, output, prices }: AssembleOptions): LoweredNetwork {
  const polished = polishAll(decisions, prices);
  const stages: LoweredStage[] = [];
  let factor = 1;
  for (const decision of polished) {
    stages.push(stageOf(decision, factor));
    if (decision.kind === "affine") factor = 1;
    else factor *= decision.kind === "pool" ? decision.choice.factor : factor;
  }
  return { slots: packing.slots, input: packing, stages, output, outputFactor: factor };
}

/** @param factor the stage's input slots hold this many times the true values. */
function stageOf(decision: Decision, factor: number): LoweredStage {
  const { kind, layers } = decision;
  if (kind === "affine") return materialize(decision.choice, layers, factor);
  if (kind === "square") return { kind, layers, layout: decision.layout };
  const { input, output, sums, folds, factor: own } = decision.choice;
  return { kind, layers, input, output, sums, folds, factor: own };
}

/** Every affine stage with the best of all strides, keys of the other stages being there anyway. */
function polishAll(decisions: readonly Decision[], prices: readonly LevelPrices[]): Decision[] {
  const polished = [...decisions];
  let products = polished.filter(({ kind }) => kind !== "pool").length;
  for (const [i, decision] of decisions.entries()) {
    if (decision.kind === "affine") {
      const owned = new Set(
        polished.flatMap((other, j) => (j === i || other.kind === "square" ? [] : [...other.choice.steps])),
      );
      const own = prices[Math.min(products, prices.length - 1)];
      polished[i] = { ...decision, choice: polishChoice(decision.choice, own, owned) };
    }
    if (decision.kind !== "pool") products--;
  }
  return polished;
}
