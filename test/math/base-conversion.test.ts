import { describe, expect, test } from "vitest";
import { divideRound, mod, modCentred } from "../../src/math/bigint-ntt.ts";
import {
  addPolynomials,
  type Basis,
  copyPolynomial,
  divideCoefficientsRoundByLast,
  divideEachRoundByLast,
  divideRoundByLast,
  expandUniform,
  fromSigned,
  limbOffset,
  multiplyPolynomials,
  multiplyScalarsInPlace,
  type Polynomial,
  type Ring,
  readLimb,
  sampleTernary,
  subtractInPlace,
  toMixedRadix,
  toNtt,
} from "../../src/math/index.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { createTestRing, fromBigints, nttFromBigints, primesOf, productOf, toBigints } from "../helpers/ring.ts";
import { mean, rootMeanSquare } from "../helpers/statistics.ts";

describe("divideRoundByLast equals BigInt", () => {
  const ring = createTestRing(1024, [30, 30, 30, 25, 22, 30]);

  test.each<[Basis, number]>([
    [[0, 1], 1],
    [[0, 1, 2, 3], 1],
    [[0, 1, 2, 3], 2],
    [[0, 1, 2, 3, 4], 3],
    [[0, 4, 5], 1],
    [[3, 1, 5, 2], 2],
    [[0, 1, 2, 3, 4, 5], 5],
  ])("basis %j, the last %i", (basis, count) => {
    const kept = basis.slice(0, basis.length - count);
    const divisor = productOf(ring, basis.slice(-count));
    const [whole, quotientModulus] = [productOf(ring, basis), productOf(ring, kept)];
    const coefficients = randomBigints(ring.degree, whole, seededRandom(count));
    // Exact multiples, and a step to either side of where rounding turns.
    const half = (divisor - 1n) / 2n - (count === 1 ? 0n : (divisor >> 40n) + 1n);
    const corners = [0n, 1n, -1n, divisor, -divisor, half, -half, 5n * divisor + half, 5n * divisor - half, whole - 1n];
    for (const [i, corner] of corners.entries()) coefficients[i] = mod(corner, whole);
    const source = nttFromBigints(ring, basis, coefficients);
    const quotient = divideRoundByLast(source, count);
    expect(quotient.basis).toEqual(kept);
    expect(toBigints(quotient)).toEqual(coefficients.map((x) => mod(divideRound(x, divisor), quotientModulus)));
    expect(toBigints(source)).toEqual(coefficients);
    const [fromCoefficients] = divideCoefficientsRoundByLast([fromBigints(ring, basis, coefficients)], count);
    expect(fromCoefficients).toMatchObject({ domain: "coefficient", basis: kept });
    expect(toBigints(fromCoefficients!)).toEqual(toBigints(quotient));
  });

  test.each<[Basis, number]>([
    [[0, 1, 2, 3], 1],
    [[0, 1, 2, 3, 4], 2],
    [[3, 4, 1, 0, 5], 3],
  ])("basis %j, the last %i, with addends in coefficient form", (basis, count) => {
    const kept = basis.slice(0, basis.length - count);
    const divisor = productOf(ring, basis.slice(-count));
    const [whole, quotientModulus] = [productOf(ring, basis), productOf(ring, kept)];
    const [first, second] = [1, 2].map((stream) => randomBigints(ring.degree, whole, seededRandom(stream))) as [
      bigint[],
      bigint[],
    ];
    const addends = [3, 4].map((stream) => randomBigints(ring.degree, quotientModulus, seededRandom(stream))) as [
      bigint[],
      bigint[],
    ];
    const quotients = divideEachRoundByLast(
      [first, second].map((coefficients) => nttFromBigints(ring, basis, coefficients)),
      count,
      addends.map((coefficients) => fromBigints(ring, kept, coefficients)),
    );
    for (const [i, coefficients] of [first, second].entries()) {
      const expected = coefficients.map((x, j) => mod(divideRound(x, divisor) + addends[i]![j]!, quotientModulus));
      expect(toBigints(quotients[i]!)).toEqual(expected);
    }
  });

  test("frees its scratch", () => {
    const source = nttFromBigints(ring, [0, 1, 2], new Array(1024).fill(7n));
    const before = ring.heap.usage().used;
    divideRoundByLast(source, 2).block.free();
    expect(ring.heap.usage().used).toBe(before);
  });
});

describe("toMixedRadix and liftDigits", () => {
  const ring = createTestRing(1024, [30, 30, 27, 30, 20]);

  test.each<[Basis, number]>([
    [[0], 3],
    [[0, 1], 3],
    [[2, 0, 1], 4],
  ])("from basis %j: the centred coefficients modulo prime %i", (source, target) => {
    const product = productOf(ring, source);
    const end = (product - 1n) / 2n;
    const ends = [0n, 1n, product - 1n, end, end + 1n];
    const coefficients = [...ends, ...randomBigints(ring.degree - ends.length, product, seededRandom(40))];
    const polynomial = fromBigints(ring, source, coefficients);
    const limbs = source.map((_, k) => limbOffset(polynomial, k));
    const out = fromBigints(ring, [target], coefficients);
    toMixedRadix(ring, limbs, source, ring.degree, limbOffset(out, 0));
    ring.kernels.liftDigits(limbOffset(out, 0), limbs, ring.degree, ring.lift(source, target));
    const [q] = primesOf(ring, [target]);
    const expected = Int32Array.from(coefficients, (x) => Number(mod(modCentred(x, product), q)));
    expect(readLimb(out, 0)).toEqual(expected);
  });
});

/**
 * The error that a rescale of (c0, c1) by the last prime adds to the phase c0 + c1 s, in units of the new scale: rounding each
 * component is uniform in [-1/2, 1/2], and s has about 2N/3 coefficients of ±1.
 */
function rescaleErrors(ring: Ring, stream: number): number[] {
  const basis = [0, 1, 2];
  const kept = basis.slice(0, 2);
  const dropped = ring.moduli[2].value;
  const seed = new Uint8Array(32).fill(stream);
  const components = [expandUniform(ring, basis, seed, 0), expandUniform(ring, basis, seed, 1)] as const;
  const secret = toNtt(fromSigned(ring, kept, sampleTernary(ring.degree, seededRandom(stream))));
  const phase = ([c0, c1]: readonly [Polynomial<"ntt">, Polynomial<"ntt">]) =>
    addPolynomials(c0, multiplyPolynomials(c1, secret));
  // dropped * (phase after) - (phase before), a small number modulo the kept primes.
  const error = phase([divideRoundByLast(components[0], 1), divideRoundByLast(components[1], 1)]);
  multiplyScalarsInPlace(
    error,
    kept.map((index) => dropped % ring.moduli[index].value),
  );
  subtractInPlace(error, phase([copyPolynomial(components[0], 2), copyPolynomial(components[1], 2)]));
  const product = productOf(ring, kept);
  return toBigints(error).map((value) => Number(modCentred(value, product)) / dropped);
}

describe("the noise of a rescale", () => {
  test("N = 8192: the root mean square of the phase's error is sqrt((1 + 2N/3) / 12) = 21.3", () => {
    const ring = createTestRing(8192, [30, 30, 28]);
    const errors = [1, 2].flatMap((stream) => rescaleErrors(ring, stream));
    const measured = rootMeanSquare(errors);
    const expected = Math.sqrt((1 + (2 * 8192) / 3) / 12);
    console.log(`rescale error at N = 8192: rms ${measured.toFixed(2)}, formula ${expected.toFixed(2)}`);
    expect(Math.abs(measured / expected - 1)).toBeLessThan(0.03);
    expect(Math.abs(mean(errors))).toBeLessThan(1);
  });
});
