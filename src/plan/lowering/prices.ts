/** The prices of one level, and a bound below the price of a product with diagonals. */

import type { SlotCosts } from "../slot-cost.ts";

/** {@link SlotCosts} at one level, in microseconds. */
export interface LevelPrices {
  readonly decompose: number;
  readonly hoistedRotation: number;
  readonly rotation: number;
  readonly diagonal: number;
  readonly rescale: number;
  readonly square: number;
  readonly key: number;
}

export function pricesAt(costs: SlotCosts, level: number): LevelPrices {
  return {
    decompose: costs.decompose(level),
    hoistedRotation: costs.hoistedRotation(level),
    rotation: costs.rotation(level),
    diagonal: costs.diagonal(level),
    rescale: costs.rescale(level),
    square: costs.square(level),
    key: costs.key(level),
  };
}

/** `count` rotations of one ciphertext that share a decomposition. */
export function hoistedPrice(prices: LevelPrices, count: number): number {
  return count === 0 ? 0 : prices.decompose + count * prices.hoistedRotation;
}

/**
 * No way to multiply one ciphertext by `count` diagonals costs less. With k babies and count / k giants the rotations cost
 * (k - 1) h + (count / k - 1) r, least at k = sqrt(count r / h).
 */
export function leastProductPrice(prices: LevelPrices, count: number): number {
  if (count <= 1) return count * prices.diagonal;
  const { decompose, hoistedRotation, rotation } = prices;
  const babies = Math.min(count, Math.max(1, Math.sqrt((count * rotation) / Math.max(hoistedRotation, 1e-9))));
  const hoisted = decompose + (babies - 1) * hoistedRotation + (count / babies - 1) * rotation;
  return count * prices.diagonal + Math.min((count - 1) * rotation, hoisted);
}

/** The largest number of diagonals whose product may cost no more than `budget`, at most `ceiling`. */
export function mostDiagonals(prices: LevelPrices, budget: number, ceiling: number): number {
  let low = 0;
  let high = ceiling;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (leastProductPrice(prices, middle) <= budget) low = middle;
    else high = middle - 1;
  }
  return low;
}
