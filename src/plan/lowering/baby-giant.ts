/** How the diagonals are split into baby steps and giant steps (Halevi and Shoup, CRYPTO 2018, section 4). */

import { hoistedPrice, type LevelPrices } from "./prices.ts";

/** Diagonal d is x = (d + offset) mod period, rotated by the baby step x mod stride - offset and the giant step x - x mod stride. */
export interface Split {
  readonly stride: number;
  readonly offset: number;
  /** Microseconds for rotations and products, without keys. */
  readonly price: number;
}

/** Diagonals by pair of ciphertexts, `[output * inputs + input]`, each list modulo `period`. */
export interface DiagonalSets {
  readonly period: number;
  readonly slots: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly lists: readonly Int32Array[];
}

export interface Rotations {
  /** By input ciphertext. */
  readonly babies: readonly ReadonlySet<number>[];
  /** By output ciphertext. */
  readonly giants: readonly ReadonlySet<number>[];
}

/** The rotations of a split, in 0 … slots - 1, zero left out. */
export function rotationsOf(sets: DiagonalSets, split: Pick<Split, "stride" | "offset">): Rotations {
  const babies = Array.from({ length: sets.inputs }, () => new Set<number>());
  const giants = Array.from({ length: sets.outputs }, () => new Set<number>());
  for (let output = 0; output < sets.outputs; output++) {
    for (let input = 0; input < sets.inputs; input++) {
      for (const diagonal of sets.lists[output * sets.inputs + input]) {
        const step = stepsOf(diagonal, sets, split);
        if (step.baby !== 0) babies[input].add(step.baby);
        if (step.giant !== 0) giants[output].add(step.giant);
      }
    }
  }
  return { babies, giants };
}

/** Baby and giant step of one diagonal, in 0 … slots - 1. */
export function stepsOf(
  diagonal: number,
  { period, slots }: DiagonalSets,
  { stride, offset }: Pick<Split, "stride" | "offset">,
): { baby: number; giant: number } {
  const x = (diagonal + offset) % period;
  const remainder = x % stride;
  return { baby: remainder < offset ? remainder - offset + slots : remainder - offset, giant: x - remainder };
}

/** Strides that are tried in a search: small odd multiples of powers of two, and multiples of the layouts' own strides. */
export function usualStrides(period: number, layoutStrides: readonly number[]): number[] {
  const strides = new Set<number>([period]);
  for (const odd of [1, 3, 5, 7, 9, 25]) {
    for (let stride = odd; stride < period; stride *= 2) strides.add(stride);
  }
  for (const layoutStride of layoutStrides) {
    for (let factor = 1; factor <= 8; factor++) {
      const stride = Math.abs(layoutStride) * factor;
      if (stride > 0 && stride < period) strides.add(stride);
    }
  }
  return [...strides].sort((left, right) => left - right);
}

/** Every stride that can differ from the others, for the last polish. */
export function allStrides(period: number): number[] {
  return [...Array.from({ length: Math.max(1, period >> 1) }, (_, i) => i + 1), period];
}

/**
 * The split that is cheapest with the keys it needs; the smallest stride on ties.
 *
 * @param owned rotation steps whose keys are there anyway.
 */
export function chooseSplit(
  sets: DiagonalSets,
  strides: readonly number[],
  prices: LevelPrices,
  owned: ReadonlySet<number>,
): Split {
  const { period, slots, inputs, outputs, lists } = sets;
  const babySeen = new Int32Array(slots);
  const giantSeen = new Int32Array(slots);
  const keySeen = new Int32Array(slots);
  const diagonals = lists.reduce((sum, list) => sum + list.length, 0);
  let stamp = 0;
  let best: Split | undefined;
  let least = Number.POSITIVE_INFINITY;
  const consider = (stride: number, offset: number): void => {
    const keyStamp = ++stamp;
    let keys = 0;
    let price = diagonals * prices.diagonal;
    const note = (step: number): void => {
      if (keySeen[step] === keyStamp) return;
      keySeen[step] = keyStamp;
      if (!owned.has(step)) keys++;
    };
    for (let output = 0; output < outputs; output++) {
      const seen = ++stamp;
      let giants = 0;
      for (let input = 0; input < inputs; input++) {
        for (const diagonal of lists[output * inputs + input]) {
          const x = (diagonal + offset) % period;
          const giant = x - (x % stride);
          if (giant === 0 || giantSeen[giant] === seen) continue;
          giantSeen[giant] = seen;
          giants++;
          note(giant);
        }
      }
      price += giants * prices.rotation;
      if (price >= least) return;
    }
    for (let input = 0; input < inputs; input++) {
      const seen = ++stamp;
      let babies = 0;
      for (let output = 0; output < outputs; output++) {
        for (const diagonal of lists[output * inputs + input]) {
          const baby = (((diagonal + offset) % period) % stride) - offset;
          const step = baby < 0 ? baby + slots : baby;
          if (step === 0 || babySeen[step] === seen) continue;
          babySeen[step] = seen;
          babies++;
          note(step);
        }
      }
      price += hoistedPrice(prices, babies);
    }
    const total = price + keys * prices.key;
    if (total < least) {
      least = total;
      best = { stride, offset, price };
    }
  };
  for (const stride of strides) {
    // Half a stride of offset lets negative shifts (padding) be baby steps.
    for (const offset of stride > 1 ? [0, stride >> 1] : [0]) consider(stride, offset);
  }
  if (best === undefined) throw new RangeError("strides must hold at least one stride, got none");
  return best;
}
