import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEncoder } from "../../src/ckks/index.ts";
import { createEmbedding } from "../../src/ckks/slots.ts";
import { createTestContext, smallCoefficients } from "../helpers/rlwe.ts";
import { fromSeed, mapSlots, minus, plus, randomSlots, type Slots, times } from "./support.ts";

/** Slot j by its definition: the polynomial at z^(3^j), z = exp(2 pi i / (2 N)), term by term. */
function evaluate(coefficients: ArrayLike<number>, slots: number): Slots {
  const order = 2 * coefficients.length;
  const cosine = Float64Array.from({ length: order }, (_, k) => Math.cos((2 * Math.PI * k) / order));
  const sine = Float64Array.from({ length: order }, (_, k) => Math.sin((2 * Math.PI * k) / order));
  let power = 1;
  return mapSlots(slots, () => {
    let [real, imaginary] = [0, 0];
    for (let k = 0, exponent = 0; k < coefficients.length; k++, exponent = (exponent + power) % order) {
      real += coefficients[k]! * cosine[exponent]!;
      imaginary += coefficients[k]! * sine[exponent]!;
    }
    power = (power * 3) % order;
    return [real, imaginary];
  });
}

const largest = ({ real, imaginary }: Slots): number =>
  Math.max(...real.map((part, i) => Math.hypot(part, imaginary[i]!)));

const sizes = Array.from({ length: 10 }, (_, i) => 2 ** i);

describe("the canonical embedding", () => {
  test.each(sizes)("of %i slots is the evaluation at the powers of 3, both ways", (slots) => {
    const embedding = createEmbedding(slots);
    expect(embedding.slots).toBe(slots);
    const values = randomSlots(slots, fromSeed(slots));
    const coefficients = embedding.toCoefficients(values);
    expect(coefficients).toHaveLength(2 * slots);
    expect(largest(minus(evaluate(coefficients, slots), values))).toBeLessThan(1e-12);
    expect(largest(minus(embedding.toSlots(coefficients), values))).toBeLessThan(1e-14);
    const halves = randomSlots(slots, fromSeed(slots + 1));
    const polynomial = Float64Array.of(...halves.real, ...halves.imaginary);
    const bound = 1e-14 * slots ** 1.5;
    expect(largest(minus(embedding.toSlots(polynomial), evaluate(polynomial, slots)))).toBeLessThan(
      Math.max(bound, 1e-14),
    );
  });

  test("makes products of polynomials products of slots", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 8, 16), fc.nat(), (slots, seed) => {
        const embedding = createEmbedding(slots);
        const [left, right] = [randomSlots(slots, fromSeed(seed)), randomSlots(slots, fromSeed(seed + 1))];
        const [a, b] = [left, right].map((each) => embedding.toCoefficients(each)) as [Float64Array, Float64Array];
        const product = new Float64Array(2 * slots);
        a.forEach((x, i) => {
          b.forEach((y, j) => {
            product[(i + j) % (2 * slots)]! += i + j < 2 * slots ? x * y : -x * y;
          });
        });
        expect(largest(minus(embedding.toSlots(product), times(left, right)))).toBeLessThan(1e-13);
        const sum = a.map((x, i) => x + b[i]!);
        expect(largest(minus(embedding.toSlots(sum), plus(left, right)))).toBeLessThan(1e-13);
      }),
    );
  });

  test("of real slots takes them with or without their zero imaginary part", () => {
    const embedding = createEmbedding(64);
    const { real } = randomSlots(64, fromSeed(3), "real");
    const coefficients = embedding.toCoefficients({ real });
    expect(coefficients).toEqual(embedding.toCoefficients({ real, imaginary: new Float64Array(64) }));
    expect(coefficients.every((c, k) => k % 64 === 0 || Math.abs(c + coefficients[(128 - k) % 128]!) < 1e-15)).toBe(
      true,
    );
  });
});

describe("an encoded vector", () => {
  const context = createTestContext({ data: [30, 30], special: [30] });
  const encoder = createEncoder(context);

  test.each(sizes)("of %i slots is, as a polynomial of degree 1024, that vector over and over", (slots) => {
    const values = randomSlots(slots, fromSeed(slots));
    const scale = 2 ** 28;
    const { polynomial } = encoder.encode(values, { scale });
    const coefficients = smallCoefficients(polynomial);
    const repeated = mapSlots(512, (j) => [values.real[j % slots]!, values.imaginary[j % slots]!]);
    const actual = evaluate(
      coefficients.map((coefficient) => coefficient / scale),
      512,
    );
    // Rounding moves each of 2s coefficients (4 for a single slot) by at most 1/2.
    expect(largest(minus(actual, repeated))).toBeLessThan(Math.max(slots, 2) / scale + 1e-12);
    expect(coefficients.every((coefficient, k) => k % (512 / Math.max(slots, 2)) === 0 || coefficient === 0)).toBe(
      true,
    );
  });
});
