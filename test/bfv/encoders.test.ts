import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BfvPlaintext,
  createBatchEncoder,
  createBfvContext,
  createFractionalEncoder,
  createIntegerEncoder,
  decodeTensor,
  encodeTensor,
} from "../../src/bfv/index.ts";
import { mod, power } from "../../src/math/bigint-ntt.ts";
import { createEngine, minimalPrimitiveRoot, modulus } from "../../src/math/index.ts";
import { multiplyLarge } from "../helpers/big-polynomial.ts";
import { expectRefusal } from "../helpers/rlwe.ts";
import { bfvParameters } from "./support.ts";

const contextFor = (plain: number, backend: "ts" | "wasm" = "wasm") =>
  createBfvContext(bfvParameters({ data: [30, 30], special: [30], plain }), { engine: createEngine({ backend }) });

/** The seed system's plain modulus is not 1 modulo 2N; an even one is not even odd. */
const MODULI = [13_513_511, 1_048_576, 65_537, 1_000];

/** Polynomial arithmetic on plaintexts: what the scheme does to them. */
function combine(left: BfvPlaintext, right: BfvPlaintext, operation: "add" | "multiply"): BfvPlaintext {
  const t = BigInt(left.plainModulus);
  const [a, b] = [left, right].map(({ coefficients }) => Array.from(coefficients, BigInt)) as [bigint[], bigint[]];
  const result = operation === "add" ? a.map((value, i) => mod(value + b[i]!, t)) : multiplyLarge(a, b, t);
  return { coefficients: Int32Array.from(result, Number), plainModulus: left.plainModulus };
}

describe.each(["ts", "wasm"] as const)("batching on the %s backend", (backend) => {
  const context = contextFor(17, backend);
  const t = context.plainModulus;
  const encoder = createBatchEncoder(context);
  const { slots } = encoder;

  test("slot i of row r is the polynomial at the root's power ±3^i", () => {
    const values = Int32Array.from({ length: slots }, (_, i) => (i * i + 7) % t);
    const { coefficients } = encoder.encode(values);
    const root = BigInt(minimalPrimitiveRoot(slots, modulus(t)));
    for (const i of [0, 1, 2, 300, 511]) {
      for (const row of [0, 1]) {
        const exponent = Number(power(3n, BigInt(i), BigInt(2 * slots)));
        const point = power(root, BigInt(row === 0 ? exponent : 2 * slots - exponent), BigInt(t));
        const value = coefficients.reduceRight(
          (sum, coefficient) => mod(sum * point + BigInt(coefficient), BigInt(t)),
          0n,
        );
        expect(Number(value)).toBe(values[row * (slots / 2) + i]);
      }
    }
  });

  test("comes back as it was, signed and unsigned, short vectors with zeros behind", () => {
    const smallest = -Math.floor(t / 2);
    const value = fc.oneof(fc.integer({ min: smallest, max: t - 1 }), fc.constantFrom(smallest, -1, 0, t - 1));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), (values) => {
        const plaintext = encoder.encode(values);
        const signed = encoder.decode(plaintext);
        const unsigned = encoder.decode(plaintext, { signed: false });
        expect(signed).toHaveLength(slots);
        for (let i = 0; i < slots; i++) {
          const residue = mod(BigInt(values[i] ?? 0), BigInt(t));
          expect(unsigned[i]).toBe(Number(residue));
          expect(signed[i]).toBe(Number(2n * residue >= BigInt(t) ? residue - BigInt(t) : residue));
        }
      }),
    );
  });

  test("products of plaintexts are products of slots", () => {
    const [x, y] = [3, 5].map((factor) => Int32Array.from({ length: slots }, (_, i) => (factor * i + 1) % t)) as [
      Int32Array,
      Int32Array,
    ];
    const product = combine(encoder.encode(x), encoder.encode(y), "multiply");
    expect(encoder.decode(product, { signed: false })).toEqual(x.map((value, i) => (value * y[i]!) % t));
  });

  test("refuses what does not fit", () => {
    expectRefusal(
      () => encoder.encode([0, t]),
      "VALUE_RANGE",
      `value 1 must be an integer from ${-(t - 1) / 2} to ${t - 1}, got ${t}`,
    );
    expectRefusal(() => encoder.encode([0.5]), "VALUE_RANGE", /got 0.5/);
    expectRefusal(() => encoder.encode([Number.NaN]), "VALUE_RANGE", /got NaN/);
    expect(() => encoder.encode(new Array(slots + 1).fill(0))).toThrow(`holds ${slots} values, got ${slots + 1}`);
    const foreign = { coefficients: new Int32Array(slots), plainModulus: 257 };
    expectRefusal(() => encoder.decode(foreign), "FOREIGN_OBJECT", /modulo 257/);
  });
});

test("batching wants a prime that is 1 modulo 2N", () => {
  for (const plain of [13_513_511, 4096, 2048 * 2 + 1, 40_961 * 2]) {
    expect(() => createBatchEncoder(contextFor(plain))).toThrow(/a prime and 1 modulo 2048, got/);
  }
});

describe("integers", () => {
  test.each(MODULI)("of as many digits as they may have come back, modulo %i", (plain) => {
    const context = contextFor(plain);
    fc.assert(
      fc.property(
        fc.constantFrom(2, 3, 4, 7, 10, 101),
        fc.integer({ min: 1, max: 80 }),
        fc.bigInt(),
        (base, digits, seed) => {
          const encoder = createIntegerEncoder(context, { base, digits });
          const largest =
            base === 2
              ? 2n ** BigInt(digits) - 1n
              : BigInt(Math.floor(base / 2)) * ((BigInt(base) ** BigInt(digits) - 1n) / BigInt(base - 1));
          const smallest =
            base === 2
              ? -largest
              : -BigInt(Math.floor((base - 1) / 2)) * ((BigInt(base) ** BigInt(digits) - 1n) / BigInt(base - 1));
          const inside = smallest + mod(seed, largest - smallest + 1n);
          for (const value of [largest, smallest, 0n, inside]) {
            const plaintext = encoder.encodeInteger(value);
            expect(plaintext.coefficients.findLastIndex((digit) => digit !== 0)).toBeLessThan(digits);
            expect(encoder.decodeInteger(plaintext)).toBe(value);
          }
          for (const value of [largest + 1n, smallest - 1n]) {
            expectRefusal(() => encoder.encodeInteger(value), "VALUE_RANGE", `got ${value}`, /raise digits/);
          }
        },
      ),
    );
  });

  test("add and multiply as polynomials, also beyond 2^53", () => {
    const encoder = createIntegerEncoder(contextFor(1_048_576), { base: 3 });
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        const [x, y] = [encoder.encode([a]), encoder.encode([b])];
        expect(encoder.decodeInteger(combine(x, y, "add"))).toBe(BigInt(a) + BigInt(b));
        expect(encoder.decodeInteger(combine(x, y, "multiply"))).toBe(BigInt(a) * BigInt(b));
      }),
    );
    const square = combine(encoder.encodeInteger(2 ** 40), encoder.encodeInteger(2 ** 40), "multiply");
    expectRefusal(() => encoder.decodeValues(square, 1), "VALUE_RANGE", /read it with decodeInteger/);
  });

  test("refuse what is none, and options that make no sense", () => {
    const context = contextFor(1_000);
    const encoder = createIntegerEncoder(context);
    for (const wrong of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectRefusal(() => encoder.encodeInteger(wrong), "VALUE_RANGE", /must be an integer from/, `got ${wrong}`);
    }
    expect(() => createIntegerEncoder(context, { base: 1 })).toThrow(/base must be an integer of 2 or more, got 1/);
    expect(() => createIntegerEncoder(context, { base: 1001 })).toThrow(
      /digits up to 500, plainModulus 1000 holds none above 499/,
    );
    expect(() => createIntegerEncoder(context, { digits: 1025 })).toThrow(
      /digits must be an integer from 1 to the ring degree 1024/,
    );
    expect(() => encoder.encode([1, 2])).toThrow(/holds 1 value a plaintext, got 2/);
  });
});

describe("fixed-point numbers", () => {
  test("stand as in the literature: 5.25 is X^2 + 1 - X^(N-2), and -5.25 its negative", () => {
    const encoder = createFractionalEncoder(contextFor(13_513_511));
    const expected = new Int32Array(1024);
    expected.set([1, 0, 1]);
    expected[1022] = 13_513_510;
    expect(encoder.encodeNumber(5.25).coefficients).toEqual(expected);
    expect(encoder.encodeNumber(-5.25).coefficients).toEqual(
      expected.map((coefficient) => (13_513_511 - coefficient) % 13_513_511),
    );
  });

  test("balanced digits: 2/3 in base 3 is 1 - 1/3", () => {
    const encoder = createFractionalEncoder(contextFor(1_000), { base: 3, integerDigits: 4, fractionDigits: 30 });
    const { coefficients } = encoder.encodeNumber(2 / 3);
    expect(coefficients[0]).toBe(1);
    expect(coefficients[1023]).toBe(1);
    expect(encoder.decodeNumber({ coefficients, plainModulus: 1_000 })).toBe(2 / 3);
  });

  test.each(MODULI)("that have the digits come back exactly, others within half a unit, modulo %i", (plain) => {
    const context = contextFor(plain);
    const options = fc.record({
      base: fc.constantFrom(2, 3, 4, 10),
      integerDigits: fc.integer({ min: 1, max: 64 }),
      fractionDigits: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(options, fc.double({ noNaN: true, noDefaultInfinity: true }), (chosen, value) => {
        const { base, integerDigits, fractionDigits } = chosen;
        const encoder = createFractionalEncoder(context, chosen);
        const unit = base ** -fractionDigits;
        const bound =
          base === 2 ? 2 ** integerDigits : (Math.floor((base - 1) / 2) / (base - 1)) * base ** integerDigits;
        const inside = (value / (1 + Math.abs(value))) * bound * 0.999 || 0;
        const decoded = encoder.decodeNumber(encoder.encodeNumber(inside));
        expect(Math.abs(decoded - inside)).toBeLessThanOrEqual(
          (unit / 2) * (1 + 2 ** -40) + Math.abs(inside) * 2 ** -52,
        );
        if (base === 2) {
          const exact = Math.round(inside * 2 ** Math.min(fractionDigits, 20)) / 2 ** Math.min(fractionDigits, 20);
          if (Math.abs(exact) < bound) expect(encoder.decodeNumber(encoder.encodeNumber(exact))).toBe(exact + 0);
        }
        if (3 * bound + 3 < Number.MAX_VALUE) {
          expectRefusal(
            () => encoder.encodeNumber(3 * bound + 3),
            "VALUE_RANGE",
            `${integerDigits} integer digits in base ${base}`,
          );
        }
      }),
    );
  });

  test("add and multiply exactly while digits have room", () => {
    const encoder = createFractionalEncoder(contextFor(13_513_511));
    const number = fc.integer({ min: -(2 ** 25), max: 2 ** 25 }).map((value) => value / 2 ** 12);
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        const [x, y, z] = [a, b, c].map(encoder.encodeNumber) as [BfvPlaintext, BfvPlaintext, BfvPlaintext];
        expect(encoder.decodeNumber(combine(x, y, "add"))).toBe(a + b);
        const product = combine(x, y, "multiply");
        expect(encoder.decodeNumber(product)).toBe(a * b);
        const sum = combine(product, z, "add");
        expect(encoder.decodeNumber(sum)).toBe(a * b + c);
      }),
    );
  });

  test("decode to the nearest double, halves to even", () => {
    const encoder = createFractionalEncoder(contextFor(13_513_511), { integerDigits: 64, fractionDigits: 60 });
    const one = encoder.encodeNumber(1);
    const [half, more] = [encoder.encodeNumber(2 ** -53), encoder.encodeNumber(2 ** -60)];
    expect(encoder.decodeNumber(combine(one, half, "add"))).toBe(1);
    expect(encoder.decodeNumber(combine(combine(one, half, "add"), more, "add"))).toBe(1 + 2 ** -52);
    expect(encoder.decodeNumber(encoder.encodeNumber(2 ** 63))).toBe(2 ** 63);
    expect(encoder.decodeNumber(encoder.encodeNumber(5e-324))).toBe(0);
  });

  test("refuse what is not finite, and digits that do not fit the ring", () => {
    const context = contextFor(1_000);
    const encoder = createFractionalEncoder(context);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 64, -(2 ** 64)]) {
      expectRefusal(() => encoder.encodeNumber(wrong), "VALUE_RANGE", `got ${wrong}`, /raise integerDigits/);
    }
    expect(() => createFractionalEncoder(context, { integerDigits: 1000, fractionDigits: 25 })).toThrow(
      /at most the ring degree 1024 together, got 1000 \+ 25/,
    );
    expect(() => createFractionalEncoder(context, { integerDigits: 0 })).toThrow(
      /integerDigits must be an integer from 1/,
    );
    expect(() => createFractionalEncoder(context, { fractionDigits: -1 })).toThrow(
      /fractionDigits must be an integer from 0/,
    );
  });
});

describe("tensors", () => {
  const context = contextFor(17);
  const shapes = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 5 });

  test("of any shape keep it, one plaintext an element or a batch", () => {
    const encoders = [createBatchEncoder(context), createFractionalEncoder(context), createIntegerEncoder(context)];
    fc.assert(
      fc.property(fc.constantFrom(...encoders), shapes, (encoder, shape) => {
        const size = shape.reduce((product, each) => product * each, 1);
        fc.pre(encoder.capacity > 1 || size <= 64);
        const data = Float64Array.from({ length: size }, (_, i) => (i % 2 === 0 ? i : -i));
        const encoded = encodeTensor(encoder, { shape, data });
        expect(encoded.plaintexts).toHaveLength(Math.ceil(size / encoder.capacity));
        expect(decodeTensor(encoder, encoded)).toEqual({ shape, data });
      }),
      { numRuns: 30 },
    );
  });

  test("refuse shapes that do not fit", () => {
    const encoder = createBatchEncoder(context);
    expect(() => encodeTensor(encoder, { shape: [2, 3], data: [1, 2, 3] })).toThrow(
      "shape [2, 3] has 6 elements, got 3",
    );
    expect(() => encodeTensor(encoder, { shape: [2, 0], data: [] })).toThrow("positive integers, got [2, 0]");
    const encoded = encodeTensor(encoder, { shape: [3], data: [1, 2, 3] });
    expect(() => decodeTensor(encoder, { ...encoded, shape: [2000] })).toThrow(
      "stands in 2 plaintexts or ciphertexts, got 1",
    );
  });
});
