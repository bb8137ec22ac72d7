import { describe, expect, test } from "vitest";
import { CrcnnError } from "../../src/errors/index.ts";
import { power } from "../../src/math/bigint-ntt.ts";
import { findNttPrimes, isPrime, minimalPrimitiveRoot, modulus, PRIME_CEILING } from "../../src/math/index.ts";

function hasNoDivisor(candidate: number): boolean {
  if (candidate < 2) return false;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) return false;
  return true;
}

describe("isPrime agrees with trial division", () => {
  test("for every integer below 30,000", () => {
    for (let candidate = -2; candidate < 30_000; candidate++) {
      if (isPrime(candidate) !== hasNoDivisor(candidate)) expect.fail(`wrong for ${candidate}`);
    }
  });

  test("for the largest candidates", () => {
    for (let candidate = PRIME_CEILING - 400; candidate < PRIME_CEILING; candidate++) {
      if (isPrime(candidate) !== hasNoDivisor(candidate)) expect.fail(`wrong for ${candidate}`);
    }
  });

  test("for strong pseudoprimes, Carmichael numbers, squares of primes and what is no integer", () => {
    // 2,047 deceives base 2; 1,373,653 bases 2 and 3; 25,326,001 bases 2, 3 and 5.
    const composites = [2047, 3277, 1_373_653, 25_326_001, 561, 1729, 294_409, 56_052_361, 32_497 ** 2, 289, 361];
    for (const composite of composites) expect(isPrime(composite)).toBe(false);
    expect([2.5, Number.NaN, Number.POSITIVE_INFINITY].map(isPrime)).toEqual([false, false, false]);
  });
});

describe("findNttPrimes", () => {
  test.each([10, 11, 12, 13, 14, 15, 16])(
    "N = 2^%i: different primes, 1 mod 2N, of the lengths asked for, in order",
    (log) => {
      const step = 2 ** (log + 1);
      const bits = [30, 28, 30, 25, 30, 28];
      const primes = findNttPrimes(step / 2, bits);
      expect(primes.map((prime) => prime.toString(2).length)).toEqual(bits);
      expect(new Set(primes).size).toBe(bits.length);
      for (const prime of primes) {
        expect(prime % step).toBe(1);
        expect(hasNoDivisor(prime)).toBe(true);
        expect(prime).toBeLessThan(PRIME_CEILING);
      }
    },
  );

  test("takes the largest, then the next ones below", () => {
    const step = 8192;
    const primes = findNttPrimes(4096, [30, 30, 20, 20, 30]);
    const below = (ceiling: number) => {
      const found = [];
      for (let candidate = ceiling - 1; found.length < 3; candidate--) {
        if (candidate % step === 1 && hasNoDivisor(candidate)) found.push(candidate);
      }
      return found;
    };
    expect([primes[0], primes[1], primes[4]]).toEqual(below(PRIME_CEILING));
    expect([primes[2], primes[3]]).toEqual(below(2 ** 20).slice(0, 2));
  });

  test("leaves out what is excluded", () => {
    const [first, second, third] = findNttPrimes(1024, [30, 30, 30]);
    expect(findNttPrimes(1024, [30], [first])).toEqual([second]);
    expect(findNttPrimes(1024, [30, 30], [second])).toEqual([first, third]);
  });

  test("finds every prime of a length before it gives up", () => {
    const all: number[] = [];
    for (let candidate = 2 ** 15 + 1; candidate < 2 ** 16; candidate += 2048) {
      if (hasNoDivisor(candidate)) all.unshift(candidate);
    }
    expect(findNttPrimes(1024, new Array(all.length).fill(16))).toEqual(all);
    const tooMany = new Array(all.length + 1).fill(16);
    expect(() => findNttPrimes(1024, tooMany)).toThrow(
      expect.objectContaining({
        code: "OUT_OF_PRIMES",
        message: expect.stringMatching(new RegExp(`fewer than ${all.length + 1} primes of 16 bits are 1 mod 2048`)),
      }),
    );
    expect(() => findNttPrimes(2 ** 16, [17])).toThrow(CrcnnError);
    expect(() => findNttPrimes(2 ** 16, [2])).toThrow(CrcnnError);
  });

  test.each([1, 31, 29.5, Number.NaN])("refuses a length of %d bits", (bits) => {
    expect(() => findNttPrimes(1024, [bits])).toThrow(RangeError);
    expect(() => findNttPrimes(1024, [bits])).toThrow(`got ${bits}`);
  });
});

describe("minimalPrimitiveRoot", () => {
  test.each([
    [1024, 12_289],
    [1024, 1_038_337],
    [4096, 40_961],
    [8192, 65_537],
    [65_536, 786_433],
  ])("N = %i, p = %i: the first number whose N-th power is -1", (degree, p) => {
    let smallest = 2n;
    while (power(smallest, BigInt(degree), BigInt(p)) !== BigInt(p - 1)) smallest++;
    expect(minimalPrimitiveRoot(degree, modulus(p))).toBe(Number(smallest));
  });

  test("a modulus that is not 1 modulo 2N is an error", () => {
    expect(() => minimalPrimitiveRoot(1024, modulus(18_433))).not.toThrow();
    expect(() => minimalPrimitiveRoot(2048, modulus(18_433))).toThrow(
      new RangeError("modulus 18433 is not 1 modulo 4096, it has no root of that order"),
    );
  });
});
