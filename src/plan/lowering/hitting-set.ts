/**
 * Which diagonals a matrix needs when its input has copies and its output is folded: one diagonal serves many
 * (row, column) pairs, and a greedy hitting set finds few that serve all.
 */

import { modulo, periodOf } from "../layout.ts";
import { factorOffsets, type Summands } from "./folds.ts";

/**
 * Diagonal d serves the difference u = column slot - row slot when (d - u) mod `period` is among `offsets`: the copies of
 * the input minus the offsets of the fold.
 */
export interface ServingOffsets {
  readonly period: number;
  /** In 0 … period - 1. */
  readonly offsets: Int32Array;
  /** offsets = base + sums of the summands: sums of copies are taken in a few passes. */
  readonly base: number;
  readonly summands: Summands;
  /** Equal for equal offsets and periods. */
  readonly key: string;
}

/**
 * @param replicas offsets of the copies of the input, invariant under `replicaPeriod`.
 * @param folds offsets that are summed, invariant under `foldPeriod`; a sum of powers of two, so that it is symmetric.
 */
export function servingOffsets(
  replicas: ArrayLike<number>,
  replicaPeriod: number,
  folds: ArrayLike<number>,
  foldPeriod: number,
): ServingOffsets {
  const modulus = Math.min(replicaPeriod, foldPeriod);
  const copies = residues(replicas, modulus);
  const sums = residues(folds, modulus);
  const largest = sums[sums.length - 1];
  // A fold's offsets are symmetric: -folds = folds - largest, which keeps the set a sum of progressions from 0.
  const raised = residues(
    copies.flatMap((copy) => sums.map((sum) => copy + sum)),
    modulus,
  );
  const period = periodOf(raised, modulus);
  const reduced = residues(raised, period);
  const base = modulo(-largest, period);
  const offsets = Int32Array.from(reduced, (offset) => (offset + base) % period).sort();
  return { period, offsets, base, summands: factorOffsets(reduced), key: `${period}:${offsets.join()}` };
}

function residues(values: ArrayLike<number>, modulus: number): number[] {
  const present = new Uint8Array(modulus);
  for (let i = 0; i < values.length; i++) present[modulo(values[i], modulus)] = 1;
  const list: number[] = [];
  for (let value = 0; value < modulus; value++) if (present[value] === 1) list.push(value);
  return list;
}

/**
 * Greedy hitting set: again and again the diagonal that serves most of what is not served yet, the smallest on ties.
 *
 * @param wanted `period` flags of the differences that occur; consumed.
 * @param limit give up (undefined) when more diagonals than this are needed.
 * @returns diagonals in 0 … period - 1, ascending.
 */
export function coverDifferences(wanted: Uint8Array, serving: ServingOffsets, limit: number): Int32Array | undefined {
  const { period, offsets, summands } = serving;
  let left = 0;
  for (const flag of wanted) left += flag;
  if (left === 0) return new Int32Array(0);
  if (Math.ceil(left / offsets.length) > limit) return undefined;
  const chosen: number[] = [];
  if (offsets.length === 1) {
    for (let u = 0; u < period; u++) if (wanted[u] === 1) chosen.push((u + offsets[0]) % period);
    return Int32Array.from(chosen).sort();
  }
  const passes = summands.reduce((sum, summand) => sum + summand.length, 1);
  let gains = countServed(wanted, serving);
  // Gains never rise: each further diagonal serves at most `most`, and none before `best` serves that many.
  let most = gains.reduce((top, gain) => Math.max(top, gain));
  let best = 0;
  while (left > 0) {
    while (best < period && gains[best] < most) best++;
    if (best === period) {
      most = gains.reduce((top, gain) => Math.max(top, gain));
      best = 0;
      continue;
    }
    if (chosen.length + Math.ceil(left / most) > limit) return undefined;
    chosen.push(best);
    const served: number[] = [];
    for (const offset of offsets) {
      const u = best < offset ? best - offset + period : best - offset;
      if (wanted[u] === 1) {
        wanted[u] = 0;
        served.push(u);
      }
    }
    left -= served.length;
    if (left === 0) break;
    // Either take back what the served differences had counted for, or count afresh: whichever touches less.
    if (served.length * offsets.length < period * passes) {
      for (const u of served) {
        for (const offset of offsets) {
          const d = u + offset;
          gains[d < period ? d : d - period]--;
        }
      }
    } else {
      gains = countServed(wanted, serving);
    }
  }
  return Int32Array.from(chosen).sort();
}

/** For each diagonal, how many wanted differences it serves: a correlation with a sum of small sets, one at a time. */
function countServed(wanted: Uint8Array, { period, base, summands }: ServingOffsets): Int32Array {
  let counts = new Int32Array(wanted);
  for (const summand of summands) {
    const next = counts.slice();
    for (const step of summand) addShifted(next, counts, step % period);
    counts = next;
  }
  const shifted = new Int32Array(period);
  addShifted(shifted, counts, base);
  return shifted;
}

/** target[d] += source[d - shift], cyclically. */
function addShifted(target: Int32Array, source: Int32Array, shift: number): void {
  const period = source.length;
  for (let d = 0; d < shift; d++) target[d] += source[d - shift + period];
  for (let d = shift; d < period; d++) target[d] += source[d - shift];
}
