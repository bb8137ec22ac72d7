import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { automorphism, modCentred } from "../../src/math/bigint-ntt.ts";
import {
  addInPlace,
  copyPolynomial,
  expandUniform,
  multiplyPolynomials,
  negatePolynomial,
  type Polynomial,
  randomSeed,
  subtractInPlace,
  toCoefficients,
} from "../../src/math/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "../../src/owner/index.ts";
import {
  applyGalois,
  conjugationElement,
  decompose,
  freeDecomposition,
  type KeySwitchingKey,
  type RlweContext,
  rotationElement,
  switchKey,
} from "../../src/rlwe/index.ts";
import { nttFromBigints, productOf, toBigints } from "../helpers/ring.ts";
import {
  createParty,
  expectWithin,
  keySwitchVariance,
  noiseOf,
  type Party,
  smallCoefficients,
} from "../helpers/rlwe.ts";
import { mean, rootMeanSquare } from "../helpers/statistics.ts";

const uniform = ({ context, random }: Party, level: number): Polynomial<"ntt"> =>
  expandUniform(context.ring, context.dataBasis(level), randomSeed(random), 0);

/** u_0 + u_1 s - c s^2 for a uniform c: what a switch from s^2 to s adds. */
function switchingNoise(party: Party, key: KeySwitchingKey, level: number): Float64Array {
  const { context, secret } = party;
  const polynomial = uniform(party, level);
  const digits = decompose(context, polynomial);
  const components = switchKey(context, digits, key);
  const target = multiplyPolynomials(polynomial, secret.power(2));
  const noise = noiseOf(secret, { components, level }, target);
  freeDecomposition(digits);
  for (const { block } of [polynomial, ...components, target]) block.free();
  return noise;
}

/** Each as far as it goes; the last digit of an odd level is short where alpha > 1. */
const CASES = [1, 2, 3].map((alpha) => ({
  alpha,
  data: [27, 27, 26, 26, 26, 26, 26, 26],
  special: new Array(alpha).fill(28),
}));

describe("decomposition", () => {
  test.each(CASES)("with alpha = $alpha: each digit is the centred residue of its primes", ({ data, special }) => {
    const party = createParty({ data, special });
    const { ring } = party.context;
    for (const level of [0, 4, 7]) {
      const polynomial = uniform(party, level);
      const coefficients = toBigints(polynomial);
      const { digits } = decompose(party.context, polynomial);
      for (const [d, primes] of party.context.digits(level).entries()) {
        const width = productOf(ring, primes);
        const basis = party.context.keyBasis(level);
        const expected = coefficients.map((coefficient) => modCentred(coefficient, width));
        const modulus = productOf(ring, basis);
        expect(digits[d]!.basis).toEqual(basis);
        expect(toBigints(digits[d]!).map((digit) => modCentred(digit, modulus))).toEqual(expected);
      }
    }
  });
});

test.each(CASES)(
  "with alpha = $alpha: what is known in coefficient form need not be transformed, and stays as it is",
  ({ data, special }) => {
    const party = createParty({ data, special });
    const { context, secret, random } = party;
    const polynomial = uniform(party, 4);
    const known = toCoefficients(copyPolynomial(polynomial));
    const before = toBigints(known);
    const [plain, fast] = [decompose(context, polynomial), decompose(context, polynomial, known)];
    expect(fast.digits.map(toBigints)).toEqual(plain.digits.map(toBigints));
    expect(toBigints(known)).toEqual(before);

    const key = generateRelinearizationKey(secret, 4, random);
    const addends = [uniform(party, 4), uniform(party, 4)] as const;
    const [u0, u1] = switchKey(context, plain, key);
    const sums = switchKey(context, plain, key, [
      toCoefficients(copyPolynomial(addends[0])),
      toCoefficients(copyPolynomial(addends[1])),
    ]);
    for (const [i, u] of [u0, u1].entries()) {
      addInPlace(u, addends[i]!);
      expect(toBigints(sums[i]!)).toEqual(toBigints(u));
    }
  },
);

describe.each(CASES)("key switching with alpha = $alpha", ({ data, special }) => {
  const party = createParty({ data, special });
  const { context, secret, random } = party;
  const top = generateRelinearizationKey(secret, context.maxLevel, random);
  const levels = data.map((_, level) => level);

  test.each(levels)("at level %i adds the noise of the formula, with a key of that level or of the top", (level) => {
    const predicted = Math.sqrt(keySwitchVariance(context, level));
    const own = generateRelinearizationKey(secret, level, random);
    expect(own.digits).toHaveLength(context.digits(level).length);
    for (const key of [own, top]) {
      const noise = switchingNoise(party, key, level);
      expectWithin(rootMeanSquare(noise), predicted, 0.15);
      expect(Math.abs(mean(noise))).toBeLessThan((5 * predicted) / Math.sqrt(noise.length));
    }
    for (const { a, b } of own.digits) for (const { block } of [a, b]) block.free();
  });

  test("works with a key from any level in between", () => {
    for (const [keyLevel, level] of [
      [6, 5],
      [5, 2],
      [4, 4],
      [3, 0],
    ] as const) {
      const noise = switchingNoise(party, generateRelinearizationKey(secret, keyLevel, random), level);
      expectWithin(rootMeanSquare(noise), Math.sqrt(keySwitchVariance(context, level)), 0.15);
    }
  });

  test("turns every coefficient as X -> X^g does", () => {
    const { ring } = context;
    const elements = fc.nat(ring.degree - 1).map((half) => 2 * half + 1);
    fc.assert(
      fc.property(elements, fc.constantFrom(...levels), (element, level) => {
        const key = generateGaloisKey(secret, element, level, random);
        const message = Array.from({ length: ring.degree }, (_, i) => BigInt(i * 4096 - 2 ** 21));
        const basis = context.dataBasis(level);
        const image = nttFromBigints(ring, basis, automorphism(message, element, productOf(ring, basis)));
        // (m - a s, a) decrypts to m without noise.
        const a = uniform(party, level);
        const c0 = nttFromBigints(ring, basis, message);
        const masked = multiplyPolynomials(a, secret.polynomial);
        subtractInPlace(c0, masked);
        const digits = decompose(context, a);
        const components = applyGalois(context, c0, digits, element, key);
        const noise = noiseOf(secret, { components, level }, image);
        expectWithin(rootMeanSquare(noise), Math.sqrt(keySwitchVariance(context, level)), 0.15);
        freeDecomposition(digits);
        const parts = key.digits.flatMap(({ a, b }) => [a, b]);
        for (const { block } of [...parts, ...components, image, a, c0, masked]) block.free();
      }),
      { numRuns: 8 },
    );
  });
});

describe("hoisting", () => {
  test("serves every element from one decomposition, which it leaves unchanged", () => {
    const party = createParty({ data: [28, 28, 28], special: [29] });
    const { context, secret, random } = party;
    const c0 = uniform(party, 2);
    const c1 = uniform(party, 2);
    const digits = decompose(context, c1);
    const elements = [rotationElement(1024, 1), rotationElement(1024, 100), conjugationElement(1024)];
    for (const element of elements) {
      const key = generateGaloisKey(secret, element, 2, random);
      const fresh = applyGalois(context, c0, decompose(context, c1), element, key);
      const hoisted = applyGalois(context, c0, digits, element, key);
      expect(hoisted.map(toBigints)).toEqual(fresh.map(toBigints));
    }
  });
});

describe("at N = 8192, where the figures of the design were sampled", () => {
  const sigmaAt = (data: number[], special: number[], streams: number): { measured: number; context: RlweContext } => {
    const party = createParty({ degree: 8192, data, special, security: 128 }, streams);
    const level = party.context.maxLevel;
    const key = generateRelinearizationKey(party.secret, level, party.random);
    return { measured: rootMeanSquare(switchingNoise(party, key, level)), context: party.context };
  };

  test("six 30-bit digits on a 30-bit P: about 211", () => {
    const { measured, context } = sigmaAt([30, 30, 30, 30, 30, 30], [30], 1);
    expectWithin(measured, Math.sqrt(keySwitchVariance(context, 5)), 0.05);
    expectWithin(measured, 211, 0.05);
  });

  test("digits of [54, 52, 52] bits on 56 bits: about 32", () => {
    const { measured, context } = sigmaAt([27, 27, 26, 26, 26, 26], [28, 28], 2);
    expectWithin(measured, Math.sqrt(keySwitchVariance(context, 5)), 0.05);
    expect(measured).toBeLessThanOrEqual(35);
  });

  test("56-bit digits on 54 bits: about 474, what a P too narrow costs", () => {
    const { measured, context } = sigmaAt([28, 28, 28, 28], [27, 27], 3);
    expectWithin(measured, Math.sqrt(keySwitchVariance(context, 3)), 0.05);
    expectWithin(measured, 474, 0.05);
  });
});

describe("the noise measure of these tests", () => {
  test("sees one coefficient that is off in one limb", () => {
    const party = createParty({ data: [28, 28], special: [28] });
    const { ring } = party.context;
    const message = nttFromBigints(ring, [0, 1], [-5n, 7n, ...new Array<bigint>(1022).fill(0n)]);
    expect([...smallCoefficients(message).subarray(0, 3)]).toEqual([-5, 7, 0]);
    addInPlace(message, nttFromBigints(ring, [0, 1], new Array<bigint>(1024).fill(BigInt(ring.moduli[0]!.value))));
    expect(() => smallCoefficients(message)).toThrow(/disagree at coefficient 0/);
    expect(smallCoefficients(negatePolynomial(nttFromBigints(ring, [0], new Array<bigint>(1024).fill(3n))))[9]).toBe(
      -3,
    );
  });
});
