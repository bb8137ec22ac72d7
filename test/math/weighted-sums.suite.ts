/** What weighted sums must do on every backend. */

import { describe, expect, test } from "vitest";
import {
  type Backend,
  createEngine,
  encodeWeightedSums,
  findNttPrimes,
  isPrime,
  MAX_WEIGHT,
  MAX_WEIGHT_SUM,
  MAX_WEIGHTED_COLUMNS,
  MAX_WEIGHTED_ROWS,
  type Modulus,
  modulus,
  PRIME_CEILING,
  WEIGHTED_PRIME_FLOOR,
  type WeightedRow,
  weightedScratchWords,
} from "../../src/math/index.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";

function nextPrime(from: number, step: 1 | -1): number {
  let candidate = from;
  while (!isPrime(candidate)) candidate += step;
  return candidate;
}

/** The smallest that is allowed, the largest that there is, and one between. */
const FIELDS = [
  nextPrime(WEIGHTED_PRIME_FLOOR + 1, 1),
  findNttPrimes(8192, [28])[0]!,
  nextPrime(PRIME_CEILING - 1, -1),
].map(modulus);

export function describeWeightedSums(backend: Backend): void {
  /** What the kernel makes of columns, and what big integers make of them. */
  function bothWays(
    columns: readonly number[][],
    rows: readonly WeightedRow[],
    field: Modulus,
    { accumulate = false, held = 0 } = {},
  ): { actual: number[][]; expected: number[][] } {
    const { heap, kernels } = createEngine({ backend, initialBytes: 2 ** 20 });
    const count = columns[0]!.length;
    const put = (values: ArrayLike<number>): number => {
      const { offset } = heap.allocate(values.length);
      heap.words.set(values, offset);
      return offset;
    };
    const ins = columns.map(put);
    const outs = rows.map(() => put(new Int32Array(count).fill(held)));
    const program = encodeWeightedSums(heap, columns.length, rows, accumulate);
    const biases = rows.map((_, r) => (r * 123_456_789) % field.value);
    const scratch = heap.allocate(weightedScratchWords(program)).offset;
    kernels.weightedSums(program, outs, ins, biases, scratch, count, field);
    const q = BigInt(field.value);
    const expected = rows.map((row, r) =>
      Array.from({ length: count }, (_, t) => {
        let sum = BigInt(biases[r]! + (accumulate ? held : 0));
        for (let k = 0; k < row.columns.length; k++)
          sum += BigInt(row.weights[k]!) * BigInt(columns[row.columns[k]!]![t]!);
        return Number(((sum % q) + q) % q);
      }),
    );
    const actual = outs.map((out) => Array.from(heap.words.subarray(out, out + count)));
    return { actual, expected };
  }

  function expectSums(...args: Parameters<typeof bothWays>): void {
    const { actual, expected } = bothWays(...args);
    expect(actual).toEqual(expected);
  }

  const all = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const random = seededRandom(11);
  const weightsOf = (count: number, largest: number): number[] =>
    randomIntegers(count, 2 * largest + 1, random).map((weight) => weight - largest);

  describe.each(FIELDS)(`weighted sums of the ${backend} backend modulo $value`, (field) => {
    const p = field.value;
    const limb = (count: number): number[] => randomIntegers(count, p, random);

    test.each([1, 2, 3, 4, 5, 25, 36])("%i columns, for 1 to 9 rows", (count) => {
      const columns = all(count).map(() => limb(144));
      for (const rowCount of [1, 3, 4, 5, 9]) {
        const rows = all(rowCount).map(() => ({ columns: all(count), weights: weightsOf(count, 2 ** 13) }));
        expectSums(columns, rows, field);
      }
    });

    test("extreme residues and weights, next to every overflow", () => {
      const ends = [0, 1, 2 ** 14 - 1, 2 ** 14, 2 ** 15 - 1, 2 ** 15, 2 ** 24, (p - 1) / 2, p - 2, p - 1];
      const columns = all(16).map((c) => all(160).map((t) => ends[(t + 3 * c * t) % ends.length]! % p));
      const same = [p - 1, 0, 2 ** 14].map((value) => all(4).map(() => new Array<number>(160).fill(value)));
      const most = Math.floor(MAX_WEIGHT_SUM / 4);
      const wholes = [MAX_WEIGHT, -MAX_WEIGHT, most, -most, 1, -1, 0];
      for (const limbs of [columns, ...same]) {
        const rows = wholes.map((weight) => ({ columns: all(limbs.length), weights: limbs.map(() => weight) }));
        const mixed = limbs.map((_, k) => (k % 2 === 0 ? MAX_WEIGHT : -MAX_WEIGHT));
        expectSums(limbs, [...rows, { columns: all(limbs.length), weights: mixed }], field);
      }
    });

    test("rows of different columns, without columns, and with more than one stretch of sums holds", () => {
      const columns = all(40).map(() => limb(200));
      const rows: WeightedRow[] = [
        { columns: [], weights: [] },
        { columns: [39], weights: [-MAX_WEIGHT] },
        { columns: [5, 2, 17], weights: weightsOf(3, MAX_WEIGHT) },
        ...all(5).map(() => ({ columns: all(40), weights: weightsOf(40, MAX_WEIGHT) })),
        { columns: all(40).reverse(), weights: new Array(40).fill(MAX_WEIGHT) },
        { columns: [5, 2, 17], weights: [1, 2, 3] },
      ];
      expectSums(columns, rows, field);
      expectSums(columns, rows, field, { accumulate: true, held: p - 1 });
    });
  });

  describe(`weighted sums of the ${backend} backend`, () => {
    const field = FIELDS[2]!;

    test("as many columns and rows as a program takes", () => {
      const columns = all(MAX_WEIGHTED_COLUMNS).map((c) => [c % field.value, field.value - 1 - c, 0, field.value - 1]);
      const rows = all(MAX_WEIGHTED_ROWS).map(() => ({
        columns: all(MAX_WEIGHTED_COLUMNS),
        weights: weightsOf(MAX_WEIGHTED_COLUMNS, MAX_WEIGHT),
      }));
      expectSums(columns, rows, field);
    });

    test("programs that cannot be are refused", () => {
      const { heap } = createEngine({ backend, initialBytes: 2 ** 20 });
      const encode = (columns: number, rows: readonly WeightedRow[]) => () => encodeWeightedSums(heap, columns, rows);
      expect(encode(1, [{ columns: [0], weights: [MAX_WEIGHT + 1] }])).toThrow("integers from -32767 to 32767");
      expect(encode(1, [{ columns: [0], weights: [0.5] }])).toThrow("row 0 has 0.5");
      expect(encode(1, [{ columns: [1], weights: [1] }])).toThrow("row 0 names column 1, there are 1");
      expect(encode(MAX_WEIGHTED_COLUMNS + 1, [{ columns: [], weights: [] }])).toThrow(RangeError);
      expect(encode(1, [])).toThrow("1 to 128 rows");
    });
  });
}
