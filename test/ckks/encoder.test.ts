import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createEncoder, type Encoder } from "../../src/ckks/index.ts";
import { mod, modCentred } from "../../src/math/bigint-ntt.ts";
import { toCoefficients } from "../../src/math/index.ts";
import { fromBigints, primesOf, productOf, toBigints } from "../helpers/ring.ts";
import { createTestContext, expectRefusal, expectWithin, smallCoefficients } from "../helpers/rlwe.ts";
import { fromSeed, mapSlots, minus, randomSlots } from "./support.ts";

describe.each([1024, 2048, 4096, 8192, 16384, 32768])("encoding and decoding at N = %i", (degree) => {
  let encoder: Encoder;
  beforeAll(() => {
    encoder = createEncoder(createTestContext({ degree, data: [30, 30], special: [30] }));
  });

  const roundTrip = (length: number, kind: "real" | "complex", scale: number) => {
    const values = randomSlots(length, fromSeed(length), kind);
    const plaintext = encoder.encode(kind === "real" ? values.real : values, { scale });
    expect(plaintext).toMatchObject({ level: 1, scale });
    const decoded = encoder.decode(toCoefficients(plaintext.polynomial), scale, length);
    plaintext.polynomial.block.free();
    return { values, decoded, error: minus(decoded, values) };
  };

  test("loses what rounding to integers loses, for every power of two of slots", () => {
    const scale = 2 ** 24;
    for (let slots = 1; slots <= degree / 2; slots *= 2) {
      for (const kind of ["real", "complex"] as const) {
        const { error } = roundTrip(slots, kind, scale);
        const norm = Math.hypot(...error.real, ...error.imaginary);
        // Parseval: the errors' square norm is s times that of the 2s coefficients' roundings.
        const predicted = (slots * Math.sqrt(2 / 12)) / scale;
        if (slots >= 256 && kind === "complex") expectWithin(norm, predicted, 0.12);
        else expect(norm).toBeLessThan(Math.max(Math.sqrt(6) * predicted, 2 / scale));
      }
    }
  });

  test("is exact to double precision at a large scale", () => {
    const { error } = roundTrip(degree / 2, "complex", 2 ** 50);
    expect(Math.max(...error.real.map(Math.abs), ...error.imaginary.map(Math.abs))).toBeLessThan(2e-13);
  });
});

describe("encoding", () => {
  const context = createTestContext({ data: [30, 30, 30], special: [30] });
  const encoder = createEncoder(context);
  const { ring } = context;

  test("a constant sets the constant coefficient, and every slot", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (value) => {
        const scale = 2 ** 30;
        const { polynomial } = encoder.encodeConstant(value, { scale });
        const coefficients = toBigints(polynomial).map((each) => modCentred(each, productOf(ring, [0, 1, 2])));
        expect(coefficients[0]).toBe(BigInt(Math.round(value * scale)));
        expect(coefficients.every((coefficient, i) => i === 0 || coefficient === 0n)).toBe(true);
        const { real, imaginary } = encoder.decode(toCoefficients(polynomial), scale);
        const error = mapSlots(512, (i) => [real[i]! - value, imaginary[i]!]);
        expect(Math.max(...error.real.map(Math.abs))).toBeLessThan(0.5 / scale + 1e-15 * Math.abs(value) + 1e-15);
        expect(error.imaginary.every((part) => part === 0)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  test("makes the limbs of its level only, and those of the special primes where they are asked for", () => {
    for (const level of [0, 1, 2]) {
      for (const raised of [false, true]) {
        const { polynomial, level: reached } = encoder.encode([1, -0.25], { scale: 2 ** 20, level, raised });
        expect(reached).toBe(level);
        expect(polynomial.basis).toEqual(raised ? context.keyBasis(level) : context.dataBasis(level));
        // All limbs are residues of the same integers.
        expect(smallCoefficients(polynomial).some((coefficient) => coefficient !== 0)).toBe(true);
      }
    }
  });

  test("reads a ciphertext's slots as many at a time as it is asked to", () => {
    const { polynomial } = encoder.encode([1, 2, 3, 4], { scale: 2 ** 30 });
    const message = toCoefficients(polynomial);
    const eight = encoder.decode(message, 2 ** 30, 8).real;
    [1, 2, 3, 4, 1, 2, 3, 4].forEach((value, i) => {
      expect(eight[i]).toBeCloseTo(value, 7);
    });
    expect(encoder.decode(message, 2 ** 30).real).toHaveLength(512);
  });
});

/** A single real slot is the constant coefficient, so whole integers can be passed through without a rounding. */
describe("beyond 53 bits", () => {
  const context = createTestContext({ data: [30, 30, 30, 30], special: [30] });
  const encoder = createEncoder(context);
  const { ring } = context;
  const levels = [0, 1, 2, 3];
  const halfOf = (level: number): bigint => (productOf(ring, context.dataBasis(level)) - 1n) / 2n;
  /** The largest double that is at most this integer. */
  const doubleBelow = (x: bigint): number => {
    const nearest = Number(x);
    return BigInt(nearest) <= x ? nearest : nearest - 2 ** (Math.floor(Math.log2(nearest)) - 52);
  };

  function expectResidue(integer: number, level: number): void {
    const { polynomial } = encoder.encode([integer], { scale: 1, level });
    const [first, ...others] = toBigints(polynomial);
    expect(first).toBe(mod(BigInt(integer), productOf(ring, context.dataBasis(level))));
    expect(others.every((other) => other === 0n)).toBe(true);
    polynomial.block.free();
  }

  test("residues at the ends of the 60-bit range equal BigInt's", () => {
    const end = doubleBelow(halfOf(1) - 1n);
    expect(end).toBeGreaterThan(2 ** 58);
    for (const integer of [end, 2 ** 53 + 2, 2 ** 32, 1, 0]) {
      for (const sign of [1, -1]) expectResidue(sign * integer, 1);
    }
  });

  test("residues of integers of up to 84 bits and any sign equal BigInt's", () => {
    const integers = fc
      .tuple(fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }), fc.nat(30))
      .map(([mantissa, exponent]) => mantissa * 2 ** exponent);
    fc.assert(
      fc.property(integers, fc.constantFrom(2, 3), (integer, level) => {
        expectResidue(integer, level);
      }),
    );
  });

  test("negative weights are negative residues", () => {
    const scale = 2 ** 27;
    const weights = [-0.125, -3, -1e-7, 0.5];
    for (const weight of weights) {
      const { polynomial } = encoder.encode([weight], { scale });
      const expected = BigInt(Math.round(weight * scale));
      expect(toBigints(polynomial)[0]).toBe(mod(expected, productOf(ring, context.dataBasis(3))));
    }
  });

  test.each(levels)("decoding at level %i is that of BigInt: all digits up to 53 bits, then the rounding", (level) => {
    const half = halfOf(level);
    const basis = context.dataBasis(level);
    const check = (integer: bigint): void => {
      const message = fromBigints(
        ring,
        basis,
        Array.from({ length: 1024 }, (_, i) => (i === 0 ? integer : 0n)),
      );
      const { real, imaginary } = encoder.decode(message, 1, 1);
      message.block.free();
      expect(imaginary).toEqual(Float64Array.of(0));
      if (integer ** 2n < 2n ** 106n) expect(BigInt(real[0]!)).toBe(integer);
      else expect(Math.abs(real[0]! / Number(integer) - 1)).toBeLessThan(2 ** -51);
    };
    for (const integer of [half, -half, half - 1n, 1n - half, 0n, 1n, -1n]) check(integer);
    fc.assert(fc.property(fc.bigInt({ min: -half, max: half }), check), { numRuns: 20 });
    const products = primesOf(ring, basis).map((_, k) => productOf(ring, basis.slice(0, k + 1)));
    for (const product of products.slice(0, -1)) {
      for (const integer of [product, -product, product / 2n, -product / 2n - 1n]) check(integer);
    }
  });

  test.each(levels)("at level %i the first integer that does not fit is refused, with both sizes", (level) => {
    const scale = 2 ** 20;
    const bits = Math.log2(Number(halfOf(level))) + 1;
    const fits = (1 - 2 ** -50) * Math.min(doubleBelow(halfOf(level)), 2 ** 84);
    const limit = Math.min(bits, 85);
    for (const sign of [1, -1]) {
      encoder.encodeConstant((sign * fits) / scale, { scale, level }).polynomial.block.free();
      for (const [factor, extra] of [
        [1.0001, 0],
        [8, 3],
      ] as const) {
        expectRefusal(
          () => encoder.encode([(sign * fits * factor) / scale], { scale, level }),
          "SCALE_OVERFLOW",
          "at scale 2^20.00",
          `needs ${(limit + extra).toFixed(1)} bits`,
          bits > 85
            ? /an encoder takes 85\.0: encode at a smaller scale$/
            : `modulus at level ${level} has ${bits.toFixed(1)}: encode`,
        );
      }
    }
  });
});

describe("misuse of the encoder", () => {
  const encoder = createEncoder(createTestContext({ data: [30, 30], special: [30] }));
  const scale = 2 ** 20;

  test.each<[string, () => unknown, string]>([
    ["an empty vector", () => encoder.encode([], { scale }), "power of two, at most 512, got 0"],
    ["three values", () => encoder.encode([1, 2, 3], { scale }), "power of two, at most 512, got 3"],
    ["too many values", () => encoder.encode(new Float64Array(1024), { scale }), "at most 512, got 1024"],
    [
      "halves of two lengths",
      () => encoder.encode({ real: [1, 2], imaginary: [1] }, { scale }),
      "2 real parts but 1 imaginary parts",
    ],
    [
      "NaN",
      () => encoder.encode([1, Number.NaN], { scale }),
      "values must be finite numbers, got one that becomes NaN",
    ],
    ["infinity", () => encoder.encode([Number.POSITIVE_INFINITY], { scale }), "values must be finite numbers"],
    [
      "an infinite constant",
      () => encoder.encodeConstant(-Infinity, { scale }),
      "finite numbers, got one that becomes -Infinity",
    ],
    ["no scale", () => encoder.encode([1], { scale: 0 }), "scale must be a positive number, got 0"],
    ["a negative scale", () => encoder.encodeConstant(1, { scale: -1 }), "scale must be a positive number, got -1"],
    ["a scale that is not a number", () => encoder.encode([1], { scale: Number.NaN }), "positive number, got NaN"],
    [
      "a level above the top",
      () => encoder.encode([1], { scale, level: 2 }),
      "level must be an integer from 0 to 1, got 2",
    ],
    ["half a level", () => encoder.encode([1], { scale, level: 0.5 }), "level must be an integer from 0 to 1, got 0.5"],
  ])("%s is refused", (_, action, message) => {
    expect(action).toThrow(RangeError);
    expect(action).toThrow(message);
  });

  test.each([0, 3, 0.5, -2, 1024, Number.NaN])("decoding %d slots is refused", (slots) => {
    const message = toCoefficients(encoder.encode([1], { scale }).polynomial);
    expect(() => encoder.decode(message, scale, slots)).toThrow(RangeError);
    expect(() => encoder.decode(message, scale, slots)).toThrow(`power of two, at most 512, got ${slots}`);
    expect(() => encoder.decode(message, Number.POSITIVE_INFINITY)).toThrow(
      "scale must be a positive number, got Infinity",
    );
  });
});
