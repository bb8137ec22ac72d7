/** Exact scale tracking: a scale is a double that is multiplied and divided along with the ciphertext, never assumed. */

import { CrcnnError } from "../errors/index.ts";

/** Scales that differ by less than this part of themselves count as equal: the rounding of a few dozen exact steps. */
const TOLERANCE = 2 ** -44;

/** True where two scales are the same up to the rounding of their own computation. */
export function sameScale(left: number, right: number): boolean {
  return Math.abs(left - right) <= TOLERANCE * Math.max(left, right);
}

/** A scale as people read it: `2^30.00`. */
export function formatScale(scale: number): string {
  return `2^${Math.log2(scale).toFixed(2)}`;
}

/** @throws CrcnnError SCALE_MISMATCH naming both scales and the remedy. */
export function requireSameScale(operation: string, left: number, right: number): void {
  if (sameScale(left, right)) return;
  throw new CrcnnError(
    "SCALE_MISMATCH",
    `${operation}: the operands' scales are ${formatScale(left)} and ${formatScale(right)}; rescale both alike, or multiply one by a ` +
      "plaintext encoded at the scale that is missing",
  );
}

/** @throws RangeError for a scale that is not a positive finite number. */
export function requireScale(scale: number): void {
  if (!(scale > 0 && Number.isFinite(scale))) throw new RangeError(`scale must be a positive number, got ${scale}`);
}
