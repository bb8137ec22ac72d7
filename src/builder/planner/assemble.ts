/** From the decisions of a search to a lowered network: the last polish, and the weights. */

import {
  type Decision,
  type InputPacking,
  type Layout,
  type LevelPrices,
  type LoweredNetwork,
  lowerDecisions,
  polishChoice,
} from "../../plan/index.ts";

export interface AssembleOptions {
  readonly packing: InputPacking;
  readonly output: Layout;
  /** The input's slots hold so many times the true values. */
  readonly inputFactor: number;
  /** By products to come. */
  readonly prices: readonly LevelPrices[];
}

export function assemble(
  decisions: readonly Decision[],
  { packing, output, inputFactor, prices }: AssembleOptions,
): LoweredNetwork {
  const { slots, ciphertexts } = packing;
  const lowered = lowerDecisions(polishAll(decisions, prices), { factor: inputFactor, ciphertexts });
  return { slots, input: packing, output, ...lowered };
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
