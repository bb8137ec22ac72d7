import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { automorphism } from "../../src/math/bigint-ntt.ts";
import { applyAutomorphism, automorphismPermutation, multiplyPolynomials, readLimb } from "../../src/math/index.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { createTestRing, nttFromBigints, productOf, toBigints } from "../helpers/ring.ts";

const DEGREE = 1024;
const ring = createTestRing(DEGREE, [30, 26]);
const basis = [0, 1];
const Q = productOf(ring, basis);
const coefficients = randomBigints(DEGREE, Q, seededRandom(30));
const polynomial = nttFromBigints(ring, basis, coefficients);
const apply = (element: number) => applyAutomorphism(polynomial, automorphismPermutation(DEGREE, element));
const odd = fc.integer({ min: 0, max: DEGREE - 1 }).map((half) => 2 * half + 1);

describe("X -> X^g on NTT values", () => {
  const small = Array.from({ length: 20 }, (_, i) => 2 * i + 1);
  const powersOfThree = Array.from({ length: 9 }, (_, k) => 3 ** (k + 4) % (2 * DEGREE));

  test.each([...small, ...powersOfThree, DEGREE - 1, DEGREE + 1, 2 * DEGREE - 3, 2 * DEGREE - 1])(
    "g = %i equals the oracle",
    (element) => {
      expect(toBigints(apply(element))).toEqual(automorphism(coefficients, element, Q));
    },
  );

  test("leaves its argument alone", () => {
    apply(3);
    expect(toBigints(polynomial)).toEqual(coefficients);
  });

  test("composes: first g, then h, is gh", () => {
    fc.assert(
      fc.property(odd, odd, (g, h) => {
        const twice = applyAutomorphism(apply(g), automorphismPermutation(DEGREE, h));
        const once = apply((g * h) % (2 * DEGREE));
        for (const k of basis) expect(readLimb(twice, k)).toEqual(readLimb(once, k));
        for (const { block } of [twice, once]) block.free();
      }),
    );
  });

  test("the inverse element undoes it, and only it does", () => {
    for (const element of [3, 5, 27, 2 * DEGREE - 1]) {
      let inverse = 1;
      while ((inverse * element) % (2 * DEGREE) !== 1) inverse += 2;
      const back = applyAutomorphism(apply(element), automorphismPermutation(DEGREE, inverse));
      expect(toBigints(back)).toEqual(coefficients);
      if (inverse !== element) expect(toBigints(apply(inverse))).not.toEqual(toBigints(apply(element)));
    }
  });

  test("commutes with products", () => {
    const permutation = automorphismPermutation(DEGREE, 3);
    const image = applyAutomorphism(polynomial, permutation);
    const square = applyAutomorphism(multiplyPolynomials(polynomial, polynomial), permutation);
    expect(toBigints(multiplyPolynomials(image, image))).toEqual(toBigints(square));
  });
});

describe("automorphismPermutation", () => {
  test.each([1024, 65_536])("N = %i: a permutation, the identity for g = 1", (degree) => {
    const identity = Int32Array.from({ length: degree }, (_, i) => i);
    expect(automorphismPermutation(degree, 1)).toEqual(identity);
    for (const element of [3, degree + 1, 2 * degree - 1]) {
      expect(automorphismPermutation(degree, element).sort()).toEqual(identity);
    }
  });

  test.each([0, 2, -1, 2048, 2049, 1.5, Number.NaN])("refuses the element %d", (element) => {
    expect(() => automorphismPermutation(1024, element)).toThrow(
      new RangeError(`a Galois element must be odd and in [1, 2048), got ${element}`),
    );
  });
});
