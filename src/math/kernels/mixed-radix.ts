/** Integers given by centred mixed-radix digits, brought to another prime, in plain TypeScript. */

import type { MixedRadixLift } from "./kernels.ts";

export function liftDigits(
  words: Int32Array,
  out: number,
  digits: ArrayLike<number>,
  count: number,
  { radices, weights, target }: MixedRadixLift,
): void {
  const { value: p, inverse } = target;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0; j < digits.length; j++) {
      const radix = radices[j];
      const residue = words[digits[j] + i];
      const digit = residue - ((((radix - 1) / 2 - residue) >> 31) & radix);
      // In (-2p, 2p): Shoup's product of a signed digit is in (-p, p) give or take the rounding of its quotient.
      sum += (Math.imul(digit, weights[j]) - Math.imul((digit * (weights[j] * inverse)) | 0, p)) | 0;
      sum = sum - p + ((sum >> 31) & (2 * p));
    }
    // The rounding of quotients may reach past -p; the half keeps this one off the integers: its floor is exact.
    words[out + i] = sum - Math.imul(Math.floor((sum + 0.5) * inverse), p);
  }
}
