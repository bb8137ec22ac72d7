/** The oracle is believed because it is short; these are the few sums that can be checked by hand. */

import { describe, expect, test } from "vitest";
import {
  automorphism,
  combineResidues,
  divideRound,
  forwardNtt,
  inverseNtt,
  invert,
  mod,
  modCentred,
  multiply,
  power,
} from "../../src/math/bigint-ntt.ts";

describe("the oracle", () => {
  test("reduces to [0, q) and to [-q/2, q/2)", () => {
    expect([-8n, -7n, -1n, 0n, 6n, 7n].map((x) => mod(x, 7n))).toEqual([6n, 0n, 6n, 0n, 6n, 0n]);
    expect([3n, 4n, -3n, -4n].map((x) => modCentred(x, 7n))).toEqual([3n, -3n, -3n, 3n]);
    expect([3n, 4n, -4n].map((x) => modCentred(x, 8n))).toEqual([3n, -4n, -4n]);
  });

  test("rounds to the nearest integer, halves upwards", () => {
    expect([5n, 6n, 7n, -5n, -6n, -7n, 0n].map((x) => divideRound(x, 4n))).toEqual([1n, 2n, 2n, -1n, -1n, -2n, 0n]);
    expect([1n, 2n, -1n, -2n].map((x) => divideRound(x, 3n))).toEqual([0n, 1n, 0n, -1n]);
  });

  test("inverts, and says when it cannot", () => {
    for (let a = 1n; a < 17n; a++) expect(mod(a * invert(a, 17n), 17n)).toBe(1n);
    expect(() => invert(6n, 9n)).toThrow("6 has no inverse modulo 9");
  });

  test("combines residues: 2 mod 3, 3 mod 5, 2 mod 7 is 23 (Sunzi)", () => {
    expect(combineResidues([2n, 3n, 2n], [3n, 5n, 7n])).toBe(23n);
  });

  test("multiplies modulo X^4 + 1", () => {
    // (1 + 2X)(X^3 + 5X^2) = 5X^2 + 11X^3 + 2X^4, and X^4 = -1.
    expect(multiply([1n, 2n, 0n, 0n], [0n, 0n, 5n, 1n], 17n)).toEqual([15n, 0n, 5n, 11n]);
  });

  test("maps X to X^3 modulo X^4 + 1", () => {
    // 1 + 2X + 3X^2 + 4X^3 becomes 1 + 2X^3 + 3X^6 + 4X^9 = 1 + 4X - 3X^2 + 2X^3.
    expect(automorphism([1n, 2n, 3n, 4n], 3, 17n)).toEqual([1n, 4n, 14n, 2n]);
  });

  test("transforms turn products into pointwise products, and back", () => {
    const q = 97n; // 1 modulo 32: 28 is a primitive 32nd root of unity, so its square is a primitive 16th one.
    const root = power(28n, 2n, q);
    expect(power(root, 8n, q)).toBe(q - 1n);
    const left = [3n, 96n, 0n, 5n, 7n, 1n, 0n, 2n];
    const right = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n];
    const values = forwardNtt(right, root, q);
    const pointwise = forwardNtt(left, root, q).map((value, i) => mod(value * values[i], q));
    expect(inverseNtt(pointwise, root, q)).toEqual(multiply(left, right, q));
  });
});
