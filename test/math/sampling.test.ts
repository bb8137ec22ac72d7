import { describe, expect, test } from "vitest";
import {
  BINOMIAL_BITS,
  ERROR_VARIANCE,
  expandUniform,
  findNttPrimes,
  modulus,
  type RandomSource,
  readLimb,
  sampleError,
  sampleTernary,
  TERNARY_VARIANCE,
} from "../../src/math/index.ts";
import { sampleUniform } from "../../src/math/kernels/uniform.ts";
import { seededRandom } from "../helpers/random.ts";
import { createTestRing } from "../helpers/ring.ts";
import { chiSquare, mean, variance } from "../helpers/statistics.ts";

/** Computed by an independent implementation of ChaCha20 and of the rejection rule: seed 00 01 … 1f, label 7. */
const PINNED = {
  primes: [1_056_952_321, 1_056_925_697, 268_369_921, 33_550_337],
  first: [23_038_633, 383_311_927, 273_344_109, 77_812_656],
  last: [338_368_349, 144_837_724],
  other: [22_746_787, 254_109_002, 15_448_844, 139_074_500],
};

/** Writes little-endian words, over and over. */
function wordSource(...words: readonly number[]): RandomSource {
  let next = 0;
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, words[next++ % words.length], true);
  };
}

/** Counts samples by value, from `lowest` on. */
function histogram(samples: ArrayLike<number>, lowest: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < samples.length; i++) counts[samples[i] - lowest]++;
  return counts;
}

describe("sampleUniform", () => {
  // Just above a power of two half of the words are thrown away, just below it nearly none.
  test.each([12_289, 65_537, 536_870_923, findNttPrimes(1024, [30])[0]])("modulo %i: below p and flat", (p) => {
    const samples = new Int32Array(2 ** 17);
    sampleUniform(samples, modulus(p), seededRandom(p));
    expect(samples.every((sample) => sample >= 0 && sample < p)).toBe(true);
    const bins = 64;
    const counts = histogram(
      samples.map((sample) => Math.floor((sample * bins) / p)),
      0,
      bins,
    );
    const statistic = chiSquare(counts, new Array(bins).fill(1 / bins));
    console.log(`uniform modulo ${p}: chi-square ${statistic.toFixed(1)} (63 degrees of freedom)`);
    // 63 on average, with a standard deviation of 11.2; too even is as wrong as too uneven.
    expect(statistic).toBeGreaterThan(25);
    expect(statistic).toBeLessThan(115);
  });

  test("takes words little-endian, cut to the bit length, and throws away those not below p", () => {
    const samples = new Int32Array(4);
    sampleUniform(samples, modulus(12_289), wordSource(12_288, 12_289, 0xffff_c000 + 5, 16_383, 0x1234_0000, 1));
    expect([...samples]).toEqual([12_288, 5, 0, 1]);
  });
});

describe("sampleTernary", () => {
  test("a third each of -1, 0 and 1", () => {
    const count = 90_000;
    const samples = sampleTernary(count, seededRandom(1));
    const counts = histogram(samples, -1, 3);
    console.log(`ternary: ${counts.join(", ")} of ${count}, variance ${variance(samples).toFixed(4)}`);
    // The standard deviation of each count is sqrt(count * 2/9) = 141.
    for (const each of counts) expect(Math.abs(each - count / 3)).toBeLessThan(5 * 141);
    expect(variance(samples) / TERNARY_VARIANCE).toBeCloseTo(1, 1);
  });

  test("no bias: of all 256 byte values each sign has exactly 85", () => {
    let next = 0;
    const every: RandomSource = (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = next++;
    };
    expect(histogram(sampleTernary(255 * 40, every), -1, 3)).toEqual([85 * 40, 85 * 40, 85 * 40]);
  });
});

describe("sampleError", () => {
  test("is the centred binomial distribution of 42 bits", () => {
    const count = 200_000;
    const samples = sampleError(count, seededRandom(2));
    const [centre, spread] = [mean(samples), variance(samples)];
    expect(ERROR_VARIANCE).toBe(10.5);
    // Standard deviations: sqrt(10.5 / count) = 0.0072 of the mean, 10.5 * sqrt(2 / count) = 0.033 of the variance.
    expect(Math.abs(centre)).toBeLessThan(0.03);
    expect(Math.abs(spread - ERROR_VARIANCE)).toBeLessThan(0.15);

    // P(x) = C(42, 21 + x) / 2^42, for x from -9 to 9 with the tails in the last bins.
    const probabilities = new Array<number>(19).fill(0);
    for (let x = -21, binomial = 1; x <= 21; x++) {
      probabilities[Math.min(18, Math.max(0, x + 9))] += binomial / 2 ** 42;
      binomial = (binomial * (21 - x)) / (22 + x);
    }
    const counts = histogram(
      samples.map((sample) => Math.min(9, Math.max(-9, sample))),
      -9,
      19,
    );
    const statistic = chiSquare(counts, probabilities);
    console.log(
      `CBD(21): mean ${centre.toFixed(4)}, variance ${spread.toFixed(3)}, chi-square ${statistic.toFixed(1)} (18)`,
    );
    expect(statistic).toBeLessThan(48); // 18 on average, with a standard deviation of 6.
  });

  test("reaches -21 and 21 and no further, whatever the unused bits are", () => {
    const all = 2 ** BINOMIAL_BITS - 1;
    expect(new Set(sampleError(64, wordSource(all, 0)))).toEqual(new Set([21]));
    expect(new Set(sampleError(64, wordSource(0, all)))).toEqual(new Set([-21]));
    expect(new Set(sampleError(64, wordSource(0xffff_ffff, 0)))).toEqual(new Set([21]));
    expect(new Set(sampleError(64, wordSource(0xffe0_0000, 0xffff_ffff)))).toEqual(new Set([-21]));
    // Every single bit counts once.
    for (let bit = 0; bit < BINOMIAL_BITS; bit++) expect([...sampleError(1, wordSource(2 ** bit, 0))]).toEqual([1]);
  });
});

describe("expandUniform", () => {
  const ring = createTestRing(1024, [30, 30, 28, 25]);
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);

  test("any subset of limbs expands alone, in any order", () => {
    const whole = expandUniform(ring, [0, 1, 2, 3], seed, 5);
    for (const basis of [[0], [3], [1, 2], [3, 1], [2, 0, 3]]) {
      const part = expandUniform(ring, basis, seed, 5);
      expect(part.basis).toEqual(basis);
      for (const [k, index] of basis.entries()) expect(readLimb(part, k)).toEqual(readLimb(whole, index));
    }
  });

  test("labels, seeds and primes tell streams apart", () => {
    const first = (bytes: Uint8Array, label: number, index: number) =>
      readLimb(expandUniform(ring, [index], bytes, label), 0)
        .slice(0, 8)
        .join();
    const streams = [0, 1, 256, 2 ** 32 - 1].flatMap((label) => [0, 1].map((index) => first(seed, label, index)));
    streams.push(first(new Uint8Array(32), 0, 0));
    expect(new Set(streams).size).toBe(9);
  });

  test("a seed of another length is refused, and no memory stays reserved", () => {
    const { used } = ring.heap.usage();
    for (const length of [0, 31, 33]) {
      expect(() => expandUniform(ring, [0], new Uint8Array(length), 0)).toThrow(`a seed has 32 bytes, got ${length}`);
    }
    expect(ring.heap.usage().used).toBe(used);
  });

  test("the words of a known seed, which the wire format depends on", () => {
    const limb = readLimb(expandUniform(ring, [0, 2], seed, 7), 0);
    const other = readLimb(expandUniform(ring, [2], seed, 7), 0);
    expect(ring.moduli.map(({ value }) => value)).toEqual(PINNED.primes);
    expect([...limb.subarray(0, 4)]).toEqual(PINNED.first);
    expect([...limb.subarray(-2)]).toEqual(PINNED.last);
    expect([...other.subarray(0, 4)]).toEqual(PINNED.other);
  });

  test("is uniform", () => {
    const [limb] = [readLimb(expandUniform(ring, [1], seed, 0), 0)];
    const p = ring.moduli[1].value;
    expect(limb.every((value) => value >= 0 && value < p)).toBe(true);
    expect(mean(limb) / p).toBeCloseTo(0.5, 1);
  });
});
