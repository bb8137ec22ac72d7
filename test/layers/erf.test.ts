import fc from "fast-check";
import { expect, test } from "vitest";
import { erf } from "../../src/layers/erf.ts";

const DIGITS = 60n;
const ONE = 10n ** DIGITS;

/** erf of a multiple of 2^-20 by its Taylor series in fixed point with 60 digits: slow, and with nothing to go wrong. */
function exactErf(steps: number): number {
  const x = (BigInt(steps) * ONE) >> 20n;
  const square = (x * x) / ONE;
  let power = x;
  let sum = 0n;
  for (let n = 0n; power !== 0n; n++) {
    sum += power / (2n * n + 1n);
    power = (-power * square) / ONE / (n + 1n);
  }
  // 2 / sqrt(pi), from the first digits of OEIS A190732.
  const factor = 1128379167095512573896158903121545171688101258657997713688171n;
  return Number((sum * factor) / ONE / 10n ** (DIGITS - 30n)) / 1e30;
}

test("erf agrees with its series in exact arithmetic", () => {
  fc.assert(
    fc.property(fc.integer({ min: -6 * 2 ** 20, max: 6 * 2 ** 20 }), (steps) => {
      expect(Math.abs(erf(steps / 2 ** 20) - exactErf(steps))).toBeLessThan(2e-15);
    }),
  );
});

test("also where the method changes, and at the ends", () => {
  for (const x of [2.5, 2.5 - 2 ** -20, 6 - 2 ** -20]) {
    expect(Math.abs(erf(x) - exactErf(x * 2 ** 20))).toBeLessThan(2e-15);
  }
  expect([erf(0), erf(7), erf(-7), erf(Number.POSITIVE_INFINITY)]).toEqual([0, 1, -1, 1]);
  expect(erf(Number.NaN)).toBeNaN();
  expect(Math.abs(erf(1e-300) / 1e-300 - 1.1283791670955126)).toBeLessThan(1e-15);
});
