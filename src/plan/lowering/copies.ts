/** Which copies of its outputs a lowering can have without another diagonal. */

import type { Layout } from "../layout.ts";

/** Offsets that a fold sums, and the period under which they are invariant. */
export interface FoldedOffsets {
  readonly foldOffsets: readonly number[];
  readonly foldPeriod: number;
}

/**
 * The smallest period at which rows can be computed again without another diagonal and without meeting each other; `slots`
 * when there is none. Undefined when rows meet even without copies.
 */
export function copyPeriod(
  position: Int32Array,
  servingPeriod: number,
  { foldOffsets, foldPeriod }: FoldedOffsets,
  input: Layout,
  outputs: number,
): number | undefined {
  for (const period of [servingPeriod, input.period, input.slots]) {
    // Copies that the fold makes by itself count as one place.
    const folds = foldOffsets.filter((offset) => offset < foldPeriod);
    if (distinctModulo(position, folds, input.slots, outputs, Math.min(period, foldPeriod))) return period;
  }
  return undefined;
}

function distinctModulo(
  position: Int32Array,
  folds: readonly number[],
  slots: number,
  outputs: number,
  period: number,
): boolean {
  if (position.length * folds.length > period * outputs) return false;
  const taken = new Uint8Array(period * outputs);
  for (const virtual of position) {
    const slot = virtual % slots;
    const start = ((virtual - slot) / slots) * period;
    for (const offset of folds) {
      const at = start + ((slot + offset) % period);
      if (taken[at] === 1) return false;
      taken[at] = 1;
    }
  }
  return true;
}

/** 0, step, 2 step, … below `end`; only 0 where the step is not below it. */
export function multiples(step: number, end: number): number[] {
  return Array.from({ length: Math.max(1, end / step) }, (_, i) => i * step);
}
