/** Sums over sets of rotations: splitting a set of offsets into a sum of small sets, and these into rounds by price. */

import type { LevelPrices } from "./prices.ts";

/** Sets A1 … Ak, each without its 0: the sums a1 + … + ak give every offset of the whole exactly once. */
export type Summands = readonly (readonly number[])[];

/** More rotations than this in one round never pay, and each wants a key. */
const LARGEST_ROUND = 16;

/** The powers of two 2^from … 2^(to - 1), as summands: all multiples of 2^from below 2^to. */
export function bitSummands(from: number, to: number): Summands {
  return Array.from({ length: to - from }, (_, i) => [2 ** (from + i)]);
}

/** Every sum of the summands, ascending where these are non-negative. */
export function sumsOf(summands: Summands): number[] {
  let sums = [0];
  for (const summand of summands) {
    sums = [0, ...summand].flatMap((step) => sums.map((sum) => sum + step));
  }
  return sums.sort((left, right) => left - right);
}

/**
 * Splits offsets into summands: arithmetic progressions of prime length where there are any, and what is left as one set.
 *
 * @param offsets ascending, the first is 0.
 */
export function factorOffsets(offsets: readonly number[]): Summands {
  const summands: number[][] = [];
  let rest = offsets;
  while (rest.length > 1) {
    const split = splitProgression(rest);
    if (split === undefined) {
      summands.push(rest.slice(1));
      break;
    }
    let { step } = split;
    for (const prime of primeFactors(split.length)) {
      const base = step;
      summands.push(Array.from({ length: prime - 1 }, (_, i) => base * (i + 1)));
      step *= prime;
    }
    rest = split.starts;
  }
  return summands;
}

/** offsets = starts + {0, step, …, (length - 1) step} with the longest progression that there is from 0. */
function splitProgression(
  offsets: readonly number[],
): { step: number; length: number; starts: readonly number[] } | undefined {
  const step = offsets[1];
  const members = new Set(offsets);
  let longest = 1;
  while (members.has(longest * step)) longest++;
  for (let length = longest; length > 1; length--) {
    if (offsets.length % length !== 0) continue;
    const remaining = new Set(offsets);
    const starts: number[] = [];
    let complete = true;
    for (const start of offsets) {
      if (!remaining.has(start)) continue;
      starts.push(start);
      for (let i = 0; i < length && complete; i++) complete = remaining.delete(start + i * step);
      if (!complete) break;
    }
    if (complete) return { step, length, starts };
  }
  return undefined;
}

function primeFactors(value: number): number[] {
  const factors: number[] = [];
  let rest = value;
  for (let prime = 2; rest > 1; prime++) {
    for (; rest % prime === 0; rest /= prime) factors.push(prime);
  }
  return factors;
}

/** Price of one round: its rotations share a decomposition. */
function roundPrice(prices: LevelPrices, steps: number): number {
  return prices.rotation + (steps - 1) * prices.hoistedRotation;
}

/** Rounds of folding: the steps of each, without 0. */
export type FoldRounds = readonly (readonly number[])[];

/** Price of all rounds on one ciphertext, without keys. */
export function foldPrice(rounds: FoldRounds, prices: LevelPrices): number {
  return rounds.reduce((sum, steps) => sum + roundPrice(prices, steps.length), 0);
}

/** Joins neighbouring summands into the rounds that cost least: radix 2, or radix 4 and more with one decomposition. */
export function foldRounds(summands: Summands, slots: number, prices: LevelPrices): FoldRounds {
  const best: { rounds: FoldRounds; price: number }[] = [{ rounds: [], price: 0 }];
  for (let end = 1; end <= summands.length; end++) {
    for (let start = end - 1; start >= 0; start--) {
      const part = summands.slice(start, end);
      const size = part.reduce((product, summand) => product * (summand.length + 1), 1);
      if (start < end - 1 && size > LARGEST_ROUND) break;
      const price = best[start].price + roundPrice(prices, size - 1) + (size - 1) * prices.key;
      if (best[end] === undefined || price < best[end].price) {
        const steps = sumsOf(part)
          .slice(1)
          .map((step) => step % slots);
        best[end] = { rounds: [...best[start].rounds, steps], price };
      }
    }
  }
  return best[summands.length].rounds;
}

/** Price of the keys for steps that nobody else has asked for. */
export function keyPrice(steps: Iterable<number>, owned: ReadonlySet<number>, prices: LevelPrices): number {
  let missing = 0;
  for (const step of steps) if (!owned.has(step)) missing++;
  return missing * prices.key;
}
