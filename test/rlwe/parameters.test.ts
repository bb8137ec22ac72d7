import { describe, expect, test } from "vitest";
import { createEngine, findNttPrimes } from "../../src/math/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "../../src/owner/index.ts";
import { createRlweContext, type RlweParameters } from "../../src/rlwe/index.ts";
import { createParty, createTestContext, expectRefusal } from "../helpers/rlwe.ts";

const [p0, p1, p2, p3] = findNttPrimes(1024, [28, 28, 28, 28]) as [number, number, number, number];
const valid: RlweParameters = { ringDegree: 1024, dataPrimes: [p0, p1, p2], specialPrimes: [p3], security: "insecure" };

describe("parameters", () => {
  test.each<[string, Partial<RlweParameters>, RegExp]>([
    ["no data prime", { dataPrimes: [] }, /dataPrimes must hold at least one/],
    ["a composite", { dataPrimes: [p0, p1 - 2048 * 3 - 1] }, /must hold primes, got \d+/],
    ["a fraction", { dataPrimes: [p0 + 0.5] }, /must hold primes, got \d+\.5/],
    ["a negative number", { specialPrimes: [-p3] }, /must hold primes, got -\d+/],
    ["a prime of more than 30 bits", { dataPrimes: [2 ** 31 - 1] }, /2147483647/],
    ["a prime without the roots of unity", { dataPrimes: [p0, 7919] }, /7919 is not 1 modulo 2048/],
    ["a prime twice", { dataPrimes: [p0, p0] }, /primes must differ/],
    ["a special prime that is a data prime", { specialPrimes: [p1] }, /primes must differ/],
    ["no power of two", { ringDegree: 1000 }, /power of two from 1024 to 65536, got 1000/],
    ["too small a degree", { ringDegree: 512 }, /from 1024 to 65536, got 512/],
    ["too large a degree", { ringDegree: 131072 }, /from 1024 to 65536, got 131072/],
    ["a degree that is not a number", { ringDegree: Number.NaN }, /got NaN/],
  ])("refuse %s", (_, wrong, message) => {
    const make = () => createRlweContext({ ...valid, ...wrong });
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });

  test("give a context with their bases", () => {
    const context = createRlweContext(valid);
    expect(context).toMatchObject({ maxLevel: 2, alpha: 1, parameters: valid });
    expect(context.ring.moduli.map(({ value }) => value)).toEqual([p0, p1, p2, p3]);
    expect([0, 1, 2].map(context.dataBasis)).toEqual([[0], [0, 1], [0, 1, 2]]);
    expect([0, 1, 2].map(context.keyBasis)).toEqual([
      [0, 3],
      [0, 1, 3],
      [0, 1, 2, 3],
    ]);
    for (const level of [-1, 3, 0.5, Number.NaN]) {
      for (const basis of [context.dataBasis, context.keyBasis, context.digits]) {
        expect(() => basis(level)).toThrow(`level must be an integer from 0 to 2, got ${level}`);
      }
    }
  });

  test.each([
    [1, [[0], [1], [2], [3], [4]]],
    [2, [[0, 1], [2, 3], [4]]],
    [
      3,
      [
        [0, 1, 2],
        [3, 4],
      ],
    ],
  ])("cut polynomials into digits of alpha = %i primes, the last as short as it comes", (alpha, digits) => {
    const context = createTestContext({ data: [28, 28, 28, 28, 28], special: new Array(alpha).fill(29) });
    expect(context.alpha).toBe(alpha);
    expect(context.digits(4)).toEqual(digits);
    for (let level = 0; level <= 4; level++) {
      expect(context.digits(level).flat()).toEqual(context.dataBasis(level));
    }
  });

  test("identify what fits together", () => {
    const twin = createRlweContext({ ...valid });
    expect(twin.id).toBe(createRlweContext(valid).id);
    const others = [
      { ...valid, dataPrimes: [p0, p1] },
      { ...valid, dataPrimes: [p1, p0, p2] },
      { ...valid, dataPrimes: [p0, p1], specialPrimes: [p2, p3] },
      { ...valid, ringDegree: 2048, dataPrimes: findNttPrimes(2048, [28]), specialPrimes: findNttPrimes(2048, [29]) },
    ];
    expect(new Set([valid, ...others].map((each) => createRlweContext(each).id)).size).toBe(5);
  });

  test("share a heap where one is given", () => {
    const engine = createEngine();
    expect(createRlweContext(valid, { engine }).ring.heap).toBe(engine.heap);
    expect(createRlweContext(valid).ring.heap).not.toBe(engine.heap);
  });

  test("without a special prime switch no key, and say so", () => {
    const context = createRlweContext({ ...valid, specialPrimes: [] });
    expect(context.alpha).toBe(0);
    expect(context.keyBasis(2)).toEqual([0, 1, 2]);
    const { secret } = createParty(context);
    for (const action of [
      () => context.digits(2),
      () => generateRelinearizationKey(secret, 2),
      () => generateGaloisKey(secret, 3, 2),
    ]) {
      expectRefusal(action, "NO_SPECIAL_PRIME", /no special prime/, /use parameters with a special prime/);
    }
  });

  test("give the ring auxiliary primes that no key and no ciphertext has", () => {
    const auxiliaryPrimes = findNttPrimes(1024, [30, 30]);
    const context = createRlweContext(valid, { auxiliaryPrimes, label: "scheme" });
    expect(context.auxiliaryBasis).toEqual([4, 5]);
    expect(context.ring.moduli.map(({ value }) => value)).toEqual([p0, p1, p2, p3, ...auxiliaryPrimes]);
    expect(context.keyBasis(2)).toEqual([0, 1, 2, 3]);
    expect(context.modulusBits).toBe(createRlweContext(valid).modulusBits);
    expect(context.id).toBe(`${createRlweContext(valid).id}:scheme`);
  });

  test("keep each automorphism's permutation", () => {
    const context = createRlweContext(valid);
    expect(context.permutation(3)).toBe(context.permutation(3));
    expect([...context.permutation(1)]).toEqual(Array.from({ length: 1024 }, (_, i) => i));
    expect(() => context.permutation(2)).toThrow(/Galois element must be odd/);
  });
});
