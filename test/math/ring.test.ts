import { describe, expect, test } from "vitest";
import { invert } from "../../src/math/bigint-ntt.ts";
import { createEngine, createRing, findNttPrimes } from "../../src/math/index.ts";
import { createTestRing, primesOf } from "../helpers/ring.ts";

const engine = createEngine({ backend: "ts", initialBytes: 2 ** 16 });

describe("createRing", () => {
  test.each([0, 1, 512, 1000, 1025, 2 ** 17, -1024, 1024.5, Number.NaN])("refuses the degree %d", (degree) => {
    expect(() => createRing(degree, [12_289], engine)).toThrow(RangeError);
    expect(() => createRing(degree, [12_289], engine)).toThrow(`got ${degree}`);
  });

  test.each([
    ["a repeated prime", [12_289, 18_433, 12_289], "must differ"],
    ["a prime that is not 1 modulo 2N", [12_289, 65_539], "65539"],
    ["a composite that is 1 modulo 2N", [12_289, 2049], "2049"],
    ["an even number", [4096], "4096"],
    ["a prime past the ceiling", [2 ** 30 - 35], String(2 ** 30 - 35)],
    ["what is no number", [Number.NaN], "NaN"],
  ])("refuses %s", (_, primes, named) => {
    expect(() => createRing(1024, primes, engine)).toThrow(RangeError);
    expect(() => createRing(1024, primes, engine)).toThrow(named);
  });

  test.each([10, 16])("takes N = 2^%i", (log) => {
    const primes = findNttPrimes(2 ** log, [30, 24]);
    const ring = createRing(2 ** log, primes, engine);
    expect(ring.moduli.map(({ value }) => value)).toEqual(primes);
    expect(ring.tables.map((table) => table.ringDegree)).toEqual([2 ** log, 2 ** log]);
  });
});

describe("constants equal BigInt", () => {
  const ring = createTestRing(1024, [30, 28, 22, 30, 20]);

  test.each([
    [[0], 1],
    [[4, 1, 3], 2],
    [[0, 1], 1],
  ])("for digits from basis %j to prime %i", (source, target) => {
    const { radices, weights, inverseProduct } = ring.lift(source, target);
    const [q] = primesOf(ring, [target]);
    const primes = primesOf(ring, source);
    const below = (j: number) => primes.slice(0, j).reduce((product, prime) => product * prime, 1n);
    expect(radices.map(BigInt)).toEqual(primes);
    expect(weights.map(BigInt)).toEqual(primes.map((_, j) => below(j) % q));
    expect(BigInt(inverseProduct)).toBe(source.includes(target) ? 0n : invert(below(primes.length), q));
    expect(ring.lift(source, target)).toBe(ring.lift(source, target));
  });
});
