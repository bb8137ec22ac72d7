/** What the kernels that move residues between bases must do on every backend. Call it with the backend's name. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backend, createEngine, findNttPrimes, isPrime, modulus, PRIME_CEILING } from "../../src/math/index.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";

const LARGEST_WORD = 2 ** 30 - 1;
const COUNT = 1024;

function largestPrime(): number {
  let candidate = PRIME_CEILING - 1;
  while (!isPrime(candidate)) candidate--;
  return candidate;
}

const PRIMES = [3, 5, 12_289, findNttPrimes(2 ** 16, [30])[0]!, largestPrime()];

export function describeCombinationKernels(backend: Backend): void {
  function setUp() {
    const { heap, kernels } = createEngine({ backend, initialBytes: 2 ** 18 });
    return {
      kernels,
      put(values: ArrayLike<number>): number {
        const { offset } = heap.allocate(COUNT);
        heap.words.set(values, offset);
        return offset;
      },
      get: (offset: number): number[] => Array.from(heap.words.subarray(offset, offset + COUNT)),
    };
  }

  function combined(limbs: readonly ArrayLike<number>[], weights: readonly number[], p: number): number[] {
    const { kernels, put, get } = setUp();
    const out = put([]);
    kernels.combineLimbs(out, limbs.map(put), Int32Array.from(weights), COUNT, modulus(p));
    return get(out);
  }

  const expectedCombination = (limbs: readonly ArrayLike<number>[], weights: readonly number[], p: number): number[] =>
    Array.from({ length: COUNT }, (_, i) =>
      Number(limbs.reduce((sum, limb, j) => sum + BigInt(limb[i]!) * BigInt(weights[j]!), 0n) % BigInt(p)),
    );

  describe(`linear combinations of the ${backend} backend`, () => {
    test.each(PRIMES)("of the largest words with the largest weights modulo %i, around every flush", (p) => {
      for (const terms of [1, 2, 7, 8, 9, 16, 17, 255, 256]) {
        const limb = new Int32Array(COUNT).fill(LARGEST_WORD);
        const limbs = new Array<Int32Array>(terms).fill(limb);
        const weights = new Array<number>(terms).fill(p - 1);
        expect(combined(limbs, weights, p)[COUNT - 1], `${terms} terms`).toBe(
          expectedCombination(limbs, weights, p)[0],
        );
      }
    });

    test("of random words, not reduced by the modulus, equal BigInt", () => {
      fc.assert(
        fc.property(fc.constantFrom(...PRIMES), fc.integer({ min: 1, max: 20 }), fc.nat(), (p, terms, seed) => {
          const random = seededRandom(seed);
          const limbs = Array.from({ length: terms }, () => randomIntegers(COUNT, 2 ** 30, random));
          const weights = randomIntegers(terms, p, random);
          expect(combined(limbs, weights, p)).toEqual(expectedCombination(limbs, weights, p));
        }),
        { numRuns: 20 },
      );
    });
  });

  describe(`rounded sums of the ${backend} backend`, () => {
    const rounded = (
      limbs: readonly ArrayLike<number>[],
      factors: readonly number[],
    ): { low: number[]; high: number[] } => {
      const { kernels, put, get } = setUp();
      const [low, high] = [put([]), put([])];
      kernels.roundedSum(low, high, limbs.map(put), Float64Array.from(factors), COUNT);
      return { low: get(low), high: get(high) };
    };

    test("halves go upwards, and the lowest 30 bits part from the others", () => {
      const values = [0, 1, 2, 3, 2 ** 30 - 1, 2 ** 29];
      expect(rounded([values], [0.5]).low.slice(0, 6)).toEqual([0, 1, 1, 2, 2 ** 29, 2 ** 28]);
      const wide = rounded([values, values, values], [4, 2 ** 20, 0.25]);
      for (const [i, value] of values.entries()) {
        const sum = BigInt(Math.floor(value * (4 + 2 ** 20 + 0.25) + 0.5));
        expect([wide.low[i], wide.high[i]]).toEqual([Number(sum % 2n ** 30n), Number(sum >> 30n)]);
      }
    });

    test("are added up in doubles, in the order of the sources", () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), (terms, seed) => {
          const random = seededRandom(seed);
          const limbs = Array.from({ length: terms }, () => randomIntegers(COUNT, 2 ** 30, random));
          const factors = randomIntegers(terms, 2 ** 32, random).map((x) => x / 2 ** 32);
          const { low, high } = rounded(limbs, factors);
          for (let i = 0; i < COUNT; i++) {
            const sum = Math.floor(limbs.reduce((total, limb, j) => total + limb[i]! * factors[j]!, 0.5));
            if (high[i]! * 2 ** 30 + low[i]! !== sum)
              throw new Error(`index ${i}: ${high[i]}, ${low[i]}, expected ${sum}`);
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}
