import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { createOwner, type IntegerOwner } from "../../../src/owner/index.ts";
import {
  type BatchPlan,
  forecastMargin,
  freeBatchProgram,
  type IntegerSegment,
  measureNoiseGains,
  quantizeValue,
  runBatchClear,
  runIntegerClear,
  tensor,
} from "../../../src/plan/index.ts";
import { freeCiphertext } from "../../../src/rlwe/index.ts";
import { fixedRandom, seeds } from "../../helpers/plans.ts";
import {
  affinePlan,
  CHAIN,
  type IntegerNetwork,
  integerManifest,
  leastModuli,
  networkFor,
  openIntegers,
  plainPrimes,
} from "./integer-support.ts";
import { NETWORKS } from "./networks.ts";
import { randomTensors } from "./support.ts";

/** The static estimate takes all sums for sums of one noise. */
const PESSIMISM_BITS = 12;
const opened: IntegerOwner[] = [];
afterAll(() => {
  for (const owner of opened) owner.destroy();
});

const spanOf = ({ outputBounds: [low, high] }: { outputBounds: readonly [string, string] }): bigint =>
  BigInt(high) - BigInt(low) + 1n;

describe.each(NETWORKS.map(([name], index) => ({ name, index })))("$name", ({ index }) => {
  const shape = NETWORKS[index]![2];

  test("decrypts to the integers of the network in the clear, bit for bit, with no more plain modulus than that takes", async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        fc.integer({ min: 4, max: 9 }),
        fc.double({ min: 2, max: 60, noNaN: true }),
        async (seed, bits, scale) => {
          const network = networkFor(index, bits, scale);
          const [{ outputBounds }] = integerManifest(network, CHAIN, []).segments as [IntegerSegment];
          const run = await openIntegers(network, CHAIN, leastModuli(spanOf({ outputBounds }), CHAIN));
          const { owner, segment, programs, evaluate, manifest } = run;
          const images = randomTensors(5, shape, seed);
          const { heap } = owner.contexts[0]!.ring;
          // Tables, and powers of the key, are made when they are first used.
          const first = evaluate(images);
          owner.decryptIntegers(segment, first, 1);
          first.flat().forEach(freeCiphertext);
          const before = heap.usage().used;
          const outputs = evaluate(images);
          const expected = images.map((image) => runIntegerClear(network.plan, scale, image));
          expect(owner.decryptIntegers(segment, outputs, images.length)).toEqual(expected);
          const gains = measureNoiseGains(network.plan);
          for (const [i, own] of outputs.entries()) {
            const plainModulus = manifest.plainModuli[i]!;
            const estimate = forecastMargin(network.plan, gains, { ...CHAIN, plainModulus });
            const measured = Math.min(...own.map(owner.noiseBudget));
            expect(measured).toBeGreaterThanOrEqual(estimate);
            expect(estimate).toBeGreaterThanOrEqual(measured - PESSIMISM_BITS);
          }
          outputs.flat().forEach(freeCiphertext);
          // Every intermediate was given back.
          expect(heap.usage().used).toBe(before);
          programs.forEach(freeBatchProgram);
          owner.destroy();
        },
      ),
      { numRuns: 3 },
    );
  });

  test("in the clear is the plan in doubles, as far as these go, and within what was proven", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 4, max: 12 }), (seed, bits) => {
        const network = networkFor(index, bits, 31);
        const [{ outputBounds, outputScale }] = integerManifest(network, CHAIN, []).segments as [IntegerSegment];
        const [low, high] = outputBounds.map(BigInt) as [bigint, bigint];
        // Corners of the range as well: nothing is further out.
        const images = randomTensors(4, shape, seed).flatMap((image) => [
          image,
          { shape, data: image.data.map((value) => Math.sign(value)) },
        ]);
        for (const image of images) {
          const integers = runIntegerClear(network.plan, 31, image);
          const rounded = image.data.map((value) => quantizeValue(value, 31) / 31);
          const { data } = runBatchClear(network.plan, { shape, data: rounded });
          const largest = Math.max(...data.map(Math.abs), 1);
          for (const [i, value] of integers.entries()) {
            expect(value >= low && value <= high).toBe(true);
            // Biases are rounded at scales of 15 * 31 and more.
            expect(Math.abs(Number(value) / outputScale - data[i]!)).toBeLessThan(0.02 * largest);
          }
        }
      }),
      { numRuns: 10 },
    );
  });
});

test("a network worked out by hand: inputs and biases are rounded at their scales, pools are sums", () => {
  const layers = [0, 0] as const;
  const { stages } = affinePlan(
    [
      [2, -3],
      [1, 0],
    ],
    [0.26, -0.14],
  );
  const plan: BatchPlan = {
    inputShape: [2],
    stages: [
      ...stages,
      { op: "square", layers },
      { op: "sum", layers, rowStart: Int32Array.of(0, 2), column: Int32Array.of(0, 1), weight: 0.5 },
      {
        ...stages[0]!,
        rowStart: Int32Array.of(0, 1),
        column: Int32Array.of(0),
        weight: Int32Array.of(5),
        bias: Float64Array.of(1),
      },
    ] as BatchPlan["stages"],
    outputShape: [1],
  };
  // (0.36, -0.52) at scale 10 is (4, -5), sums at scale 10 are 2 * 4 + 3 * 5 + 3 and 4 - 1, squares at 100, their pool at 200.
  expect(runIntegerClear(plan, 10, tensor([2], [0.36, -0.52]))).toEqual([BigInt(5 * (26 ** 2 + 3 ** 2) + 200)]);
});

describe("the proof that outputs do not wrap around", () => {
  const T = plainPrimes([14], CHAIN)[0]!;
  // A bias far above T: only differences of outputs have to be told apart.
  const plan = affinePlan([[1]], [1e9]);
  const network = (high: number): IntegerNetwork => ({ plan, inputScale: 1, range: [0, high] });

  test("lets outputs be as many integers as the plain modulus tells apart, and no more", async () => {
    const { owner, segment, evaluate } = await openIntegers(network(T - 1), CHAIN, [T]);
    opened.push(owner);
    const values = [0, 1, T >> 1, T - 1];
    const outputs = evaluate(values.map((value) => tensor([1], [value])));
    expect(owner.decryptIntegers(segment, outputs, values.length)).toEqual(
      values.map((value) => [BigInt(value + 1e9)]),
    );
    expect(owner.decryptBatch(segment, outputs, 2)[1]!.data).toEqual(Float64Array.of(1e9 + 1));

    let drawn = 0;
    const random = (): void => {
      drawn++;
    };
    const wider = integerManifest(network(T), CHAIN, [T]);
    await expect(createOwner(wider, { random })).rejects.toThrow(
      /^outputs may be any of 14 bits of integers, .* could wrap around unnoticed; 1 primes of 30 bits would hold them/,
    );
    await expect(createOwner(wider, { random })).rejects.toMatchObject({ code: "VALUE_RANGE" });
    // Before there was a key.
    expect(drawn).toBe(0);
  });

  test("is tight for one map", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 4, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3,
        }),
        (weight) => {
          const one = {
            plan: affinePlan(
              weight,
              weight.map((_, row) => 10 * row),
            ),
            inputScale: 7,
            range: [-0.5, 1] as const,
          };
          const [segment] = integerManifest(one, CHAIN, []).segments;
          const corners = Array.from({ length: 16 }, (_, bits) =>
            [0, 1, 2, 3].map((i) => ((bits >> i) & 1 ? 1 : -0.5)),
          );
          const reached = corners.flatMap((corner) => runIntegerClear(one.plan, 7, tensor([4], corner)));
          const sorted = reached.sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
          expect(segment!.outputBounds).toEqual([String(sorted[0]), String(sorted.at(-1))]);
        },
      ),
    );
  });
});

test("two threads and the TypeScript kernels agree with one thread bit for bit", async () => {
  const network = networkFor(0, 7, 31);
  const images = randomTensors(3, NETWORKS[0]![2], 2);
  const [{ outputBounds }] = integerManifest(network, CHAIN, []).segments as [IntegerSegment];
  const moduli = leastModuli(spanOf({ outputBounds }), CHAIN);
  const outcomes = await Promise.all(
    [{}, { threads: 2 }, { backend: "ts" as const }].map(async (options) => {
      // The same randomness for all: the same ciphertexts.
      const { owner, evaluate } = await openIntegers(network, CHAIN, moduli, { ...options, random: fixedRandom() });
      const [outputs] = evaluate(images);
      const { words } = owner.contexts[0]!.ring.heap;
      const residues = outputs!.flatMap(({ components }) =>
        components.map(({ block }) => Array.from(words.subarray(block.offset, block.offset + block.length))),
      );
      owner.destroy();
      return residues;
    }),
  );
  expect(outcomes[1]).toEqual(outcomes[0]);
  expect(outcomes[2]).toEqual(outcomes[0]);
});
