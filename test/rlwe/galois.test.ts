import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { power } from "../../src/math/bigint-ntt.ts";
import { conjugationElement, inverseElement, RING_DEGREES, rotationElement } from "../../src/rlwe/index.ts";

const degrees = fc.constantFrom(...RING_DEGREES);
const steps = fc.integer({ min: -70_000, max: 70_000 });
const times = (degree: number, left: number, right: number): number => (left * right) % (2 * degree);

describe("Galois elements", () => {
  test("of rotations are powers of 3 modulo 2N", () => {
    fc.assert(
      fc.property(degrees, steps, (degree, count) => {
        const order = BigInt(degree / 2);
        const exponent = ((BigInt(count) % order) + order) % order;
        expect(rotationElement(degree, count)).toBe(Number(power(3n, exponent, BigInt(2 * degree))));
      }),
    );
  });

  test("of no rotation, of a whole turn", () => {
    for (const degree of RING_DEGREES) {
      for (const count of [0, -0, degree / 2, -degree / 2, degree]) expect(rotationElement(degree, count)).toBe(1);
    }
  });

  test("compose as rotations do", () => {
    fc.assert(
      fc.property(degrees, steps, steps, (degree, j, k) => {
        const product = times(degree, rotationElement(degree, j), rotationElement(degree, k));
        expect(product).toBe(rotationElement(degree, j + k));
      }),
    );
  });

  test("of rotations and conjugation are all odd residues, each once", () => {
    const degree = 1024;
    const elements = Array.from({ length: degree / 2 }, (_, k) => rotationElement(degree, k));
    const conjugated = elements.map((element) => times(degree, element, conjugationElement(degree)));
    expect([...elements, ...conjugated].sort((a, b) => a - b)).toEqual(
      Array.from({ length: degree }, (_, i) => 2 * i + 1),
    );
  });

  test("have inverses", () => {
    fc.assert(
      fc.property(degrees, fc.nat(2 ** 16 - 1), (degree, half) => {
        const element = (2 * half + 1) % (2 * degree);
        expect(times(degree, element, inverseElement(degree, element))).toBe(1);
      }),
    );
    for (const degree of RING_DEGREES) {
      expect(inverseElement(degree, conjugationElement(degree))).toBe(conjugationElement(degree));
      expect(inverseElement(degree, rotationElement(degree, 5))).toBe(rotationElement(degree, -5));
    }
  });
});
