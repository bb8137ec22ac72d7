/** What every kernel backend must do, whatever it is written in. Call it with the backend's name. */

import { describe, expect, test } from "vitest";
import * as oracle from "../../src/math/bigint-ntt.ts";
import {
  automorphismPermutation,
  type Backend,
  createEngine,
  createNttTable,
  createRing,
  findNttPrimes,
  invertMod,
  isPrime,
  type Kernels,
  MAX_DOT_PRODUCT_TERMS,
  type Modulus,
  modulus,
  multiplyMod,
  type NttTable,
  PRIME_CEILING,
} from "../../src/math/index.ts";
import { randomBigints, randomIntegers, seededRandom } from "../helpers/random.ts";

const DEGREES = [10, 11, 12, 13, 14, 15, 16].map((log) => 2 ** log);

/** The smallest prime with a transform of degree N. */
function smallestPrime(degree: number): number {
  let candidate = 2 * degree + 1;
  while (!isPrime(candidate)) candidate += 2 * degree;
  return candidate;
}

function largestPrime(): number {
  let candidate = PRIME_CEILING - 1;
  while (!isPrime(candidate)) candidate--;
  return candidate;
}

/** Residues at which a missing correction or a sign shows. */
function extremes(p: number): number[] {
  return [...new Set([0, 1, 2, (p - 1) / 2, (p + 1) / 2, p - 2, p - 1].map((x) => x % p))];
}

const FIELDS = [3, 5, 12_289, 786_433, findNttPrimes(2 ** 16, [30])[0], largestPrime()].map(modulus);

export function describeKernels(backend: Backend): void {
  /** A heap with kernels on it. Blocks live to the end of a test, since finalizers only run between tests. */
  function setUp() {
    const engine = createEngine({ backend, initialBytes: 2 ** 18 });
    const { heap, kernels } = engine;
    return {
      engine,
      heap,
      kernels,
      put(values: ArrayLike<number>): number {
        const { offset } = heap.allocate(values.length);
        heap.words.set(values, offset);
        return offset;
      },
      get: (offset: number, count: number): number[] => Array.from(heap.words.subarray(offset, offset + count)),
    };
  }

  /** What one kernel call leaves in a limb that starts with `values`. */
  function inPlace(values: ArrayLike<number>, run: (kernels: Kernels, limb: number) => void): number[] {
    const { kernels, put, get } = setUp();
    const limb = put(values);
    run(kernels, limb);
    return get(limb, values.length);
  }

  const forward = (values: ArrayLike<number>, table: NttTable) =>
    inPlace(values, (kernels, limb) => kernels.forwardNtt(limb, table));
  const inverse = (values: ArrayLike<number>, table: NttTable) =>
    inPlace(values, (kernels, limb) => kernels.inverseNtt(limb, table));

  /** Entry `index` of the transform by its definition. */
  function entry(coefficients: readonly bigint[], index: number, { ringDegree, root, modulus: { value } }: NttTable) {
    const q = BigInt(value);
    const exponent = 2 * oracle.reverseBits(index, Math.log2(ringDegree)) + 1;
    const point = oracle.power(BigInt(root), BigInt(exponent), q);
    return Number(coefficients.reduceRight((value, coefficient) => (value * point + coefficient) % q, 0n));
  }

  function expectTransform(input: readonly number[], table: NttTable, indices: readonly number[]): void {
    const p = table.modulus.value;
    const output = forward(input, table);
    expect(output.every((value) => value >= 0 && value < p)).toBe(true);
    const coefficients = input.map(BigInt);
    for (const index of indices) expect(output[index]).toBe(entry(coefficients, index, table));
    expect(inverse(output, table)).toEqual(input);
  }

  describe(`transforms of the ${backend} backend`, () => {
    test("every value equals the definition", () => {
      const table = createNttTable(1024, modulus(findNttPrimes(1024, [30])[0]));
      const input = randomIntegers(1024, table.modulus.value, seededRandom(1));
      const expected = oracle.forwardNtt(input.map(BigInt), BigInt(table.root), BigInt(table.modulus.value));
      expect(forward(input, table)).toEqual(expected.map(Number));
    });

    test.each(DEGREES)("N = %i: extremes, for the smallest and the largest prime", (degree) => {
      for (const p of [smallestPrime(degree), findNttPrimes(degree, [30])[0]]) {
        const table = createNttTable(degree, modulus(p));
        const shape = (at: (i: number) => number) => Array.from({ length: degree }, (_, i) => at(i));
        const random = seededRandom(degree);
        const indices = [0, 1, degree - 1, ...randomIntegers(3, degree, random)];
        expectTransform(
          shape(() => 0),
          table,
          [0],
        );
        expectTransform(
          shape(() => p - 1),
          table,
          indices,
        );
        expectTransform(
          shape((i) => (i % 2) * (p - 1)),
          table,
          indices,
        );
        expectTransform(
          shape((i) => (i === 1 ? p - 1 : 0)),
          table,
          indices,
        );
        expectTransform(randomIntegers(degree, p, random), table, indices);
        // The other way round: extremes among the values.
        for (const values of [shape(() => p - 1), shape((i) => (i % 2) * (p - 1))]) {
          expect(forward(inverse(values, table), table)).toEqual(values);
        }
      }
    });

    test.each([20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30])("a prime of %i bits, at 40 points", (bits) => {
      const random = seededRandom(bits);
      for (const degree of [1024, 2048]) {
        const table = createNttTable(degree, modulus(findNttPrimes(degree, [bits])[0]));
        const input = randomIntegers(degree, table.modulus.value, random);
        expectTransform(input, table, randomIntegers(40, degree, random));
      }
    });

    test("values next to 0 and p, of which a lazy product may be on either side, come back reduced", () => {
      for (const degree of [1024, 2048]) {
        const p = findNttPrimes(degree, [30])[0];
        const table = createNttTable(degree, modulus(p));
        for (let t = 1; t <= 60; t++) {
          // The last butterflies add a multiplied t to 0 or -1.
          for (const other of [0, p - 1]) {
            const pair = [(other + t) % p, (other + p - t) % p];
            const random = randomIntegers(degree, 2, seededRandom(t));
            const values = random.map((flip, i) => pair[i % 2] * (1 - flip) + pair[(i + 1) % 2] * flip);
            expect(forward(inverse(values, table), table)).toEqual(values);
            const plain = values.map((_, i) => pair[i % 2]);
            expect(forward(inverse(plain, table), table)).toEqual(plain);
            expect(inverse(forward(values, table), table)).toEqual(values);
          }
        }
      }
    });

    test("products of values are products modulo X^N + 1", () => {
      const table = createNttTable(1024, modulus(findNttPrimes(1024, [30])[0]));
      const p = table.modulus.value;
      const random = seededRandom(2);
      const [left, right] = [randomIntegers(1024, p, random), randomIntegers(1024, p, random)];
      const { kernels, put, get } = setUp();
      const [a, b] = [put(left), put(right)];
      kernels.forwardNtt(a, table);
      kernels.forwardNtt(b, table);
      kernels.multiply(a, a, b, 1024, table.modulus);
      kernels.inverseNtt(a, table);
      const expected = oracle.multiply(left.map(BigInt), right.map(BigInt), BigInt(p));
      expect(get(a, 1024)).toEqual(expected.map(Number));
    });

    test("heap growth between two kernels changes nothing", () => {
      const table = createNttTable(1024, modulus(findNttPrimes(1024, [30])[0]));
      const input = randomIntegers(1024, table.modulus.value, seededRandom(3));
      const { heap, kernels } = createEngine({ backend, initialBytes: 2 ** 16 });
      const limb = heap.allocate(1024).offset;
      heap.words.set(input, limb);
      kernels.forwardNtt(limb, table);
      const before = heap.words;
      const values = Array.from(before.subarray(limb, limb + 1024));
      heap.allocate(2 ** 20);
      // Not by a matcher: it would try to print a detached buffer.
      expect(heap.words === before).toBe(false);
      expect(Array.from(heap.words.subarray(limb, limb + 1024))).toEqual(values);
      kernels.inverseNtt(limb, table);
      expect(Array.from(heap.words.subarray(limb, limb + 1024))).toEqual(input);
    });
  });

  describe.each(FIELDS)(`pointwise kernels of the ${backend} backend modulo $value`, (field: Modulus) => {
    const p = field.value;
    const q = BigInt(p);
    const random = seededRandom(p);
    const ends = extremes(p);
    const lefts = [...ends.flatMap((x) => ends.map(() => x)), ...randomIntegers(500, p, random)];
    const rights = [...ends.flatMap(() => ends), ...randomIntegers(500, p, random)];
    const count = lefts.length;

    /** Runs a kernel into a fresh limb and over each of its inputs, and compares all with BigInt. */
    function expectPointwise(
      inputs: readonly number[][],
      run: (kernels: Kernels, out: number, limbs: readonly number[]) => void,
      exact: (...values: bigint[]) => bigint,
    ): void {
      const expected = inputs[0].map((_, i) =>
        Number(oracle.mod(exact(...inputs.map((input) => BigInt(input[i]))), q)),
      );
      for (let target = -1; target < inputs.length; target++) {
        const { kernels, put, get } = setUp();
        const limbs = inputs.map(put);
        const out = limbs[target] ?? put(inputs[0].map(() => -1));
        run(kernels, out, limbs);
        expect(get(out, expected.length)).toEqual(expected);
      }
    }

    test("add, subtract, negate and multiply", () => {
      const pair = [lefts, rights];
      expectPointwise(
        pair,
        (k, out, [a, b]) => k.add(out, a, b, count, field),
        (a, b) => a + b,
      );
      expectPointwise(
        pair,
        (k, out, [a, b]) => k.subtract(out, a, b, count, field),
        (a, b) => a - b,
      );
      expectPointwise(
        pair,
        (k, out, [a, b]) => k.multiply(out, a, b, count, field),
        (a, b) => a * b,
      );
      expectPointwise(
        [lefts],
        (k, out, [a]) => k.negate(out, a, count, field),
        (a) => -a,
      );
    });

    test("products with a scalar", () => {
      for (const scalar of [...ends, ...randomIntegers(8, p, random)]) {
        const factor = BigInt(scalar);
        expectPointwise(
          [lefts],
          (k, out, [a]) => k.multiplyScalar(out, a, scalar, count, field),
          (a) => a * factor,
        );
        expectPointwise(
          [lefts, rights],
          (k, out, [a, b]) => k.subtractMultiplyScalar(out, a, b, scalar, count, field),
          (a, b) => (a - b) * factor,
        );
      }
    });

    test("products with a scalar that are next to a multiple of p", () => {
      // A scalar just above p/2 has a quotient w/p with the worst relative rounding.
      for (let scalar = (p + 1) / 2; scalar < Math.min(p, (p + 1) / 2 + 64); scalar++) {
        const factor = BigInt(scalar);
        const unit = invertMod(scalar, field);
        const near = Array.from({ length: 128 }, (_, i) => multiplyMod(((i >> 1) + 1) % p, unit, field));
        const a = near.map((value, i) => (i % 2 === 0 ? value : 0));
        const b = near.map((value, i) => (i % 2 === 0 ? 0 : value));
        expectPointwise(
          [near],
          (k, out, [x]) => k.multiplyScalar(out, x, scalar, 128, field),
          (x) => x * factor,
        );
        expectPointwise(
          [a, b],
          (k, out, [x, y]) => k.subtractMultiplyScalar(out, x, y, scalar, 128, field),
          (x, y) => (x - y) * factor,
        );
      }
    });

    test.each([1, 4, 5, 255, MAX_DOT_PRODUCT_TERMS])("dot products of %i terms", (terms) => {
      const { kernels, put, get } = setUp();
      const length = 1500; // Not a multiple of any stretch that a backend may work in.
      const [out, top, one] = [
        put(new Int32Array(length)),
        put(new Int32Array(length).fill(p - 1)),
        put(new Int32Array(length).fill(1)),
      ];
      kernels.dotProduct(out, new Array(terms).fill(top), new Array(terms).fill(top), length, field);
      expect(new Set(get(out, length))).toEqual(new Set([terms % p]));
      kernels.dotProduct(out, new Array(terms).fill(top), new Array(terms).fill(one), length, field);
      expect(new Set(get(out, length))).toEqual(new Set([Number(oracle.mod(BigInt(-terms), q))]));

      const left = Array.from({ length: terms }, () => randomIntegers(64, p, random));
      const right = Array.from({ length: terms }, () => randomIntegers(64, p, random));
      kernels.dotProduct(out, left.map(put), right.map(put), 64, field);
      const exact = (i: number) => left.reduce((sum, limb, k) => sum + BigInt(limb[i]) * BigInt(right[k][i]), 0n);
      expect(get(out, 64)).toEqual(Array.from({ length: 64 }, (_, i) => Number(exact(i) % q)));
    });

    test("residues of signed integers", () => {
      const values = Int32Array.from([...ends, ...ends.map((x) => -x), ...randomIntegers(50, p, random)]);
      const { kernels, put, get } = setUp();
      const out = put(new Int32Array(values.length));
      kernels.setSigned(out, values, field);
      expect(get(out, values.length)).toEqual(Array.from(values, (value) => Number(oracle.mod(BigInt(value), q))));
    });
  });

  describe(`moving kernels of the ${backend} backend`, () => {
    test.each([1, 3, 5, 9, 1023, 2047])("permute gathers by the automorphism X -> X^%i", (element) => {
      const { kernels, put, get } = setUp();
      const values = randomIntegers(1024, 2 ** 30, seededRandom(4));
      const permutation = automorphismPermutation(1024, element);
      const [limb, out] = [put(values), put(new Int32Array(1024))];
      kernels.permute(out, limb, permutation);
      expect(get(out, 1024)).toEqual(Array.from(permutation, (from) => values[from]));
    });

    test.each([1, 8, 9, 17])(
      "two sums of %i products with common right factors, from limbs on and permuted",
      (terms) => {
        const { kernels, put, get } = setUp();
        const field = FIELDS[4];
        const q = BigInt(field.value);
        const random = seededRandom(terms);
        const limb = (): number[] => [field.value - 1, 0, ...randomIntegers(1022, field.value, random)];
        const limbs = (): number[][] =>
          Array.from({ length: terms }, (_, k) => (k === 0 ? new Array(1024).fill(field.value - 1) : limb()));
        const lefts = [limbs(), limbs()] as const;
        const rights = limbs();
        const starts = [limb(), limb()] as const;
        const sums = (half: 0 | 1, start: readonly number[]): number[] =>
          start.map((value, i) =>
            Number(
              lefts[half].reduce((sum, left, k) => sum + BigInt(left[i]) * BigInt(rights[k][i]), BigInt(value)) % q,
            ),
          );
        const offsets = [[lefts[0].map(put), lefts[1].map(put)] as const, rights.map(put)] as const;
        const outs = [put(new Int32Array(1024)), put(new Int32Array(1024))] as const;
        const zero = new Array(1024).fill(0);
        kernels.dotProductPair(outs, ...offsets, 1024, field);
        expect([get(outs[0], 1024), get(outs[1], 1024)]).toEqual([sums(0, zero), sums(1, zero)]);

        const initial = [put(starts[0]), put(starts[1])] as const;
        const permutation = automorphismPermutation(1024, 5);
        const permuted = (values: number[]) => Array.from(permutation, (from) => values[from]);
        kernels.dotProductPair(outs, ...offsets, 1024, field, { initial: [initial[0], undefined], permutation });
        expect(get(outs[0], 1024)).toEqual(permuted(sums(0, starts[0])));
        expect(get(outs[1], 1024)).toEqual(permuted(sums(1, zero)));
        kernels.dotProductPair(initial, ...offsets, 1024, field, { initial });
        expect([get(initial[0], 1024), get(initial[1], 1024)]).toEqual([sums(0, starts[0]), sums(1, starts[1])]);
      },
    );

    test.each([
      ["one", [30], [30, 20]],
      ["one small", [20], [30, 20]],
      ["two", [30, 30], [30, 22]],
      ["three", [30, 30, 30], [30, 20]],
      ["mixed", [22, 30, 27], [30, 20]],
      ["eight", [30, 30, 30, 30, 30, 30, 30, 30], [30, 20]],
    ])("liftDigits from %s gives the centred representative", (_, sourceBits, targetBits) => {
      const { engine, kernels, put, get } = setUp();
      const ring = createRing(1024, findNttPrimes(1024, [...sourceBits, ...targetBits]), engine);
      const source = sourceBits.map((_, j) => j);
      const primes = source.map((j) => BigInt(ring.moduli[j].value));
      const product = primes.reduce((left, right) => left * right, 1n);
      const end = (product - 1n) / 2n;
      const values = [0n, 1n, -1n, 2n, -2n, end, -end, end - 1n, 1n - end];
      values.push(...randomBigints(500, product, seededRandom(5)).map((value) => value - end));
      const rest = values.slice();
      const digits = primes.map((prime) =>
        rest.map((value, i) => {
          const digit = oracle.modCentred(value, prime);
          rest[i] = (value - digit) / prime;
          return Number(oracle.mod(digit, prime));
        }),
      );
      for (const target of [...targetBits.keys()].map((i) => sourceBits.length + i)) {
        const q = BigInt(ring.moduli[target].value);
        const limbs = digits.map(put);
        for (const out of [put(new Int32Array(values.length)), limbs.at(-1)!]) {
          kernels.liftDigits(out, limbs, values.length, ring.lift(source, target));
          expect(get(out, values.length)).toEqual(values.map((value) => Number(oracle.mod(value, q))));
        }
      }
    });
  });
}
