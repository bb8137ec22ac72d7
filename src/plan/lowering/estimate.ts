/** What a lowered network costs to run, by counting. */

import type { LoweredAffine, LoweredNetwork, LoweredPool, LoweredStage } from "../lowered.ts";
import type { SlotCosts } from "../slot-cost.ts";
import { foldPrice } from "./folds.ts";
import { hoistedPrice, type LevelPrices, pricesAt } from "./prices.ts";

export interface LoweredCost {
  /** hoisted + giant + fold. */
  readonly rotations: number;
  readonly hoisted: number;
  readonly giant: number;
  readonly fold: number;
  readonly diagonals: number;
  /** Distinct rotation steps: as many rotation keys. */
  readonly keys: number;
  /** Ciphertexts squared, each with its relinearization. */
  readonly squares: number;
  /** Products one after another: affine stages and squares. */
  readonly levels: number;
  /** Time of one evaluation; keys and the price of a longer chain are not in it. */
  readonly microseconds: number;
}

/** Rescales to come where `products` products are to come: the last one is not rescaled. */
export function levelBefore(products: number): number {
  return Math.max(0, products - 1);
}

/** By stage: products one after another between its result and the network's. */
function productsToCome(stages: readonly LoweredStage[]): Int32Array {
  const toCome = new Int32Array(stages.length);
  for (let i = stages.length - 1; i >= 0; i--) {
    const { kind, sources } = stages[i];
    const before = toCome[i] + (kind === "pool" ? 0 : 1);
    for (const value of sources) if (value > 0) toCome[value - 1] = Math.max(toCome[value - 1], before);
  }
  return toCome;
}

/** Counts and prices. Folds are priced after the rescale. */
export function estimateLowered({ stages }: Pick<LoweredNetwork, "stages">, costs: SlotCosts): LoweredCost {
  const toCome = productsToCome(stages);
  const levels = stages.reduce((most, { kind }, i) => Math.max(most, toCome[i] + (kind === "pool" ? 0 : 1)), 0);
  const counts = { hoisted: 0, giant: 0, fold: 0, diagonals: 0, squares: 0 };
  const steps = new Set<number>();
  let microseconds = 0;
  const addFolds = (stage: LoweredAffine | LoweredPool, prices: LevelPrices): void => {
    for (const round of stage.folds) {
      for (const step of round) steps.add(step);
      counts.fold += round.length * stage.output.ciphertexts;
    }
    microseconds += foldPrice(stage.folds, prices) * stage.output.ciphertexts;
  };
  for (const [i, stage] of stages.entries()) {
    if (stage.kind === "pool") {
      addFolds(stage, pricesAt(costs, levelBefore(toCome[i])));
      continue;
    }
    const prices = pricesAt(costs, levelBefore(toCome[i] + 1));
    if (stage.kind === "square") {
      counts.squares += stage.layout.ciphertexts;
      microseconds += stage.layout.ciphertexts * (prices.square + prices.rescale);
      continue;
    }
    const babies = Array.from({ length: stage.input.ciphertexts }, () => new Set<number>());
    for (const giants of stage.transforms) {
      for (const { giant, terms } of giants) {
        if (giant !== 0) {
          steps.add(giant);
          counts.giant++;
          microseconds += prices.rotation;
        }
        counts.diagonals += terms.length;
        microseconds += terms.length * prices.diagonal;
        for (const { input, baby } of terms) if (baby !== 0) babies[input].add(baby);
      }
    }
    for (const set of babies) {
      for (const step of set) steps.add(step);
      counts.hoisted += set.size;
      microseconds += hoistedPrice(prices, set.size);
    }
    microseconds += stage.transforms.length * prices.rescale;
    addFolds(stage, pricesAt(costs, levelBefore(toCome[i])));
  }
  const rotations = counts.hoisted + counts.giant + counts.fold;
  return { ...counts, rotations, keys: steps.size, levels, microseconds };
}
