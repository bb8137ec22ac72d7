import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mod, power } from "../../src/math/bigint-ntt.ts";
import {
  addMod,
  invertMod,
  isPrime,
  MAX_PRIME_BITS,
  modulus,
  multiplyMod,
  PRIME_CEILING,
  powerMod,
  reduceInteger,
  subtractMod,
} from "../../src/math/index.ts";

let largest = PRIME_CEILING - 1;
while (!isPrime(largest)) largest--;
const PRIMES = [3, 5, 257, 12_289, 65_537, 786_433, 536_870_909, 536_870_923, largest];
const anyField = fc.constantFrom(...PRIMES).map(modulus);
/** A field with residues of it, the ends more often than chance has them. */
const fieldWithResidues = anyField.chain((field) => {
  const residue = fc.oneof(fc.nat(field.value - 1), fc.constantFrom(0, 1, field.value - 1));
  return fc.tuple(fc.constant(field), residue, residue);
});

describe("modulus", () => {
  test.each(PRIMES)("%i: bit length and inverse", (p) => {
    expect(modulus(p)).toEqual({ value: p, inverse: 1 / p, bits: p.toString(2).length });
  });

  test.each([0, 1, 2, 4, -7, 2.5, Number.NaN, PRIME_CEILING + 1, 2 ** 31 - 1])("refuses %d", (value) => {
    expect(() => modulus(value)).toThrow(RangeError);
    expect(() => modulus(value)).toThrow(String(value));
  });

  test("the ceiling leaves room for lazy values in a signed word", () => {
    expect(PRIME_CEILING).toBeLessThan(2 ** MAX_PRIME_BITS);
    expect(PRIME_CEILING).toBeGreaterThan(2 ** MAX_PRIME_BITS * 0.98);
  });
});

describe("arithmetic modulo p equals BigInt", () => {
  test("products, sums, differences of any residues", () => {
    fc.assert(
      fc.property(fieldWithResidues, ([field, a, b]) => {
        const [x, y, p] = [BigInt(a), BigInt(b), BigInt(field.value)];
        expect(multiplyMod(a, b, field)).toBe(Number((x * y) % p));
        expect(addMod(a, b, field)).toBe(Number((x + y) % p));
        expect(subtractMod(a, b, field)).toBe(Number(mod(x - y, p)));
      }),
      { numRuns: 2000 },
    );
  });

  test("products at the ends, where the quotient is next to an integer", () => {
    for (const p of PRIMES) {
      const field = modulus(p);
      const ends = [0, 1, 2, (p - 1) / 2, (p + 1) / 2, p - 2, p - 1].map((x) => x % p);
      for (const a of ends) {
        for (const b of ends) expect(multiplyMod(a, b, field)).toBe(Number((BigInt(a) * BigInt(b)) % BigInt(p)));
      }
      // a * b = t modulo p for small t: the exact quotient is an integer and a hair.
      for (let a = Math.max(1, p - 200); a < p; a++) {
        const inverse = invertMod(a, field);
        for (const t of [1, 2, p - 2, p - 1]) expect(multiplyMod(a, multiplyMod(t, inverse, field), field)).toBe(t);
      }
    }
  });

  test("powers with exponents up to 2^53", () => {
    fc.assert(
      fc.property(fieldWithResidues, fc.maxSafeNat(), ([field, a], exponent) => {
        expect(powerMod(a, exponent, field)).toBe(Number(power(BigInt(a), BigInt(exponent), BigInt(field.value))));
      }),
    );
  });

  test("inverses", () => {
    fc.assert(
      fc.property(fieldWithResidues, ([field, a]) => {
        fc.pre(a !== 0);
        expect(multiplyMod(a, invertMod(a, field), field)).toBe(1);
      }),
    );
    expect(() => invertMod(0, modulus(17))).toThrow(new RangeError("0 has no inverse modulo 17"));
  });
});

describe("reduceInteger", () => {
  const reduced = (x: number, p: number) => Number(mod(BigInt(x), BigInt(p)));

  test("equals BigInt for integers of any sign up to 2^84", () => {
    // A 53-bit mantissa times a power of two is what a double that large can be.
    const integer = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 31 }))
      .map(([mantissa, exponent]) => mantissa * 2 ** exponent);
    fc.assert(
      fc.property(anyField, integer, (field, x) => {
        expect(reduceInteger(x, field)).toBe(reduced(x, field.value));
      }),
      { numRuns: 2000 },
    );
  });

  test("equals BigInt at the powers of two, around multiples of p, and at the ends of a 60-bit modulus", () => {
    for (const p of PRIMES) {
      const field = modulus(p);
      const magnitudes = [
        0,
        1,
        p - 1,
        p,
        p + 1,
        2 * p,
        p * p,
        p * 2 ** 54,
        2 ** 84 - 2 ** 31,
        2 ** 59 - 1,
        2 ** 59 - 64,
      ];
      for (let bits = 1; bits < 84; bits++) magnitudes.push(2 ** bits, 2 ** bits - 1, 2 ** bits + 1);
      for (const x of magnitudes) {
        expect(reduceInteger(x, field)).toBe(reduced(x, p));
        expect(reduceInteger(-x, field)).toBe(reduced(-x, p));
      }
    }
  });
});
