import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { divideRound, mod, modCentred } from "../../src/math/bigint-ntt.ts";
import {
  applyBasisMap,
  type Basis,
  type BasisMap,
  createLift,
  createScaling,
  limbOffset,
  type Ring,
} from "../../src/math/index.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { createTestRing, fromBigints, primesOf, productOf } from "../helpers/ring.ts";

const DEGREE = 1024;
const ring = createTestRing(DEGREE, [30, 27, 22, 30, 30, 25, 30]);

/** Residues that a map makes of coefficients, by target prime. */
function mapped(on: Ring, map: BasisMap, coefficients: readonly bigint[]): bigint[][] {
  const basis = map.own ? [...map.source, ...map.target] : map.source;
  const polynomial = fromBigints(on, basis, coefficients);
  const scratch = on.heap.allocate((2 + map.target.length) * DEGREE);
  const outs = map.target.map((_, m) => scratch.offset + (2 + m) * DEGREE);
  for (const [j, index] of map.source.entries()) {
    const limb = limbOffset(polynomial, j);
    on.kernels.multiplyScalar(limb, limb, map.sourceScalars[j]!, DEGREE, on.moduli[index]!);
  }
  const own = map.target.map((_, m) => limbOffset(polynomial, map.source.length + m));
  const finished: string[] = [];
  applyBasisMap(
    on,
    map,
    [
      {
        scaled: map.source.map((_, j) => limbOffset(polynomial, j)),
        rounding: [scratch.offset, scratch.offset + DEGREE],
        outs,
        ...(map.own ? { own } : {}),
      },
    ],
    (i, m) => finished.push(`${i}:${m}`),
  );
  expect(finished).toEqual(map.target.map((_, m) => `0:${m}`));
  const limbs = outs.map((out) => Array.from(on.heap.words.subarray(out, out + DEGREE), BigInt));
  polynomial.block.free();
  scratch.free();
  return limbs;
}

const bases = fc.constantFrom<[Basis, Basis]>(
  [[0], [1, 3]],
  [[0, 1], [3]],
  [
    [0, 1, 2],
    [4, 5, 6, 3],
  ],
  [
    [3, 4, 5, 6],
    [0, 1, 2],
  ],
);

describe("a lift", () => {
  test("is the centred representative modulo every target", () => {
    fc.assert(
      fc.property(bases, fc.nat(), ([source, target], seed) => {
        const product = productOf(ring, source);
        const edges = [
          0n,
          1n,
          product - 1n,
          (product - 1n) / 2n - product / 2n ** 40n,
          product / 2n + product / 2n ** 40n,
        ];
        const coefficients = [...edges, ...randomBigints(DEGREE - edges.length, product, seededRandom(seed))];
        const limbs = mapped(ring, createLift(ring, source, target), coefficients);
        for (const [m, prime] of primesOf(ring, target).entries()) {
          expect(limbs[m]).toEqual(coefficients.map((x) => mod(modCentred(x, product), prime)));
        }
      }),
      { numRuns: 12 },
    );
  });
});

describe("a scaling", () => {
  /** Everything that may come out: the rounding is decided in doubles, so both integers next to a value near a half are right. */
  function expectRounded(
    limb: readonly bigint[],
    coefficients: readonly bigint[],
    numerator: bigint,
    denominator: bigint,
    prime: bigint,
  ) {
    for (const [i, x] of coefficients.entries()) {
      const rounded = divideRound(x * numerator, denominator);
      if (limb[i] === mod(rounded, prime)) continue;
      const distance = Number((2n * (x * numerator - rounded * denominator) * 2n ** 40n) / denominator) / 2 ** 41;
      expect(Math.abs(distance)).toBeGreaterThan(0.5 - 2 ** -18);
      expect([mod(rounded - 1n, prime), mod(rounded + 1n, prime)]).toContain(limb[i]);
    }
  }

  test("by factor / D takes a polynomial modulo DT into T", () => {
    fc.assert(
      fc.property(bases, fc.integer({ min: 1, max: 2 ** 30 - 1 }), fc.nat(), ([source, target], factor, seed) => {
        const [divisor, product] = [productOf(ring, source), productOf(ring, target)];
        const coefficients = [
          0n,
          1n,
          divisor,
          divisor / 2n,
          ...randomBigints(DEGREE - 4, divisor * product, seededRandom(seed)),
        ];
        const limbs = mapped(ring, createScaling(ring, source, target, { limbs: "own", factor }), coefficients);
        for (const [m, prime] of primesOf(ring, target).entries()) {
          expectRounded(limbs[m]!, coefficients, BigInt(factor), divisor, prime);
        }
      }),
      { numRuns: 12 },
    );
  });

  test("by T / D takes a polynomial modulo D into T", () => {
    fc.assert(
      fc.property(bases, fc.nat(), ([source, target], seed) => {
        const [divisor, product] = [productOf(ring, source), productOf(ring, target)];
        const coefficients = [0n, 1n, divisor - 1n, ...randomBigints(DEGREE - 3, divisor, seededRandom(seed))];
        const limbs = mapped(ring, createScaling(ring, source, target, { limbs: "none", factor: 1 }), coefficients);
        for (const [m, prime] of primesOf(ring, target).entries()) {
          expectRounded(limbs[m]!, coefficients, product, divisor, prime);
        }
      }),
      { numRuns: 12 },
    );
  });

  test("rounds to the nearest, not down", () => {
    const [source, target] = [
      [0, 1],
      [3, 4],
    ];
    const divisor = productOf(ring, source);
    const nearHalf = [divisor / 2n - divisor / 1000n, divisor / 2n + divisor / 1000n, divisor - 1n];
    const limbs = mapped(ring, createScaling(ring, source, target, { limbs: "own", factor: 1 }), [
      ...nearHalf,
      ...new Array<bigint>(DEGREE - 3).fill(0n),
    ]);
    expect(limbs[0]!.slice(0, 3)).toEqual([0n, 1n, 1n]);
  });
});
