import { describe, expect, test } from "vitest";
import { automorphism, multiply } from "../../src/math/bigint-ntt.ts";
import { ERROR_VARIANCE, expandUniform, type Polynomial } from "../../src/math/index.ts";
import { generateGaloisKey, generatePublicKey, generateRelinearizationKey } from "../../src/owner/index.ts";
import { inverseElement, PUBLIC_KEY_SEED_LABEL } from "../../src/rlwe/index.ts";
import { productOf, toBigints } from "../helpers/ring.ts";
import { createParty, expectWithin, smallCoefficients, wordsOf } from "../helpers/rlwe.ts";
import { mean, rootMeanSquare } from "../helpers/statistics.ts";

/** Errors of one polynomial of a key: CBD(21). */
function expectErrors(errors: Float64Array): void {
  expect(errors.every((error) => Math.abs(error) <= 21)).toBe(true);
  expectWithin(rootMeanSquare(errors), Math.sqrt(ERROR_VARIANCE), 0.12);
  expect(Math.abs(mean(errors))).toBeLessThan((5 * Math.sqrt(ERROR_VARIANCE)) / Math.sqrt(errors.length));
}

describe.each([1, 2])("keys with alpha = %i", (alpha) => {
  const party = createParty({ data: [28, 27, 26], special: new Array(alpha).fill(29) }, alpha);
  const { context, secret, random } = party;
  const { ring, parameters } = context;
  const s = [...smallCoefficients(secret.polynomial)].map(BigInt);
  const special = parameters.specialPrimes.reduce((product, prime) => product * BigInt(prime), 1n);

  /** b + a s_out - P g s_in, by the textbook; the gadget is 1 modulo the digit's primes and 0 modulo the others. */
  function errorOf(
    { b, a }: { b: Polynomial<"ntt">; a: Polynomial<"ntt"> },
    output: readonly bigint[],
    input: readonly bigint[] = [],
    digit: readonly number[] = [],
  ): Float64Array {
    const limbs = b.basis.map((index) => {
      const p = BigInt(ring.moduli[index]!.value);
      return { index, p, gadget: digit.includes(index) ? special : 0n };
    });
    const product = multiply(toBigints(a), output, productOf(ring, a.basis));
    const sum = toBigints(b).map((coefficient, i) => coefficient + product[i]!);
    // Limb by limb: the gadget differs from one prime to the next.
    const errors = limbs.map(({ p, gadget }) =>
      sum.map((coefficient, i) => {
        const residue = (((coefficient - gadget * (input[i] ?? 0n)) % p) + p) % p;
        return Number(2n * residue > p ? residue - p : residue);
      }),
    );
    for (const other of errors) expect(other).toEqual(errors[0]);
    return Float64Array.from(errors[0]!);
  }

  test("a public key is an encryption of zero over all primes, its uniform half that of its seed", () => {
    const key = generatePublicKey(secret, random);
    expect(key.a.basis).toEqual(context.keyBasis(2));
    expect(wordsOf(key.a)).toEqual(wordsOf(expandUniform(ring, key.a.basis, key.seed, PUBLIC_KEY_SEED_LABEL)));
    expectErrors(errorOf(key, s));
  });

  test.each([2, 0])("a relinearization key of level %i holds P times the gadget times s^2", (level) => {
    const key = generateRelinearizationKey(secret, level, random);
    const digits = context.digits(level);
    expect(key.level).toBe(level);
    expect(key.digits).toHaveLength(digits.length);
    const square = [...smallCoefficients(secret.power(2))].map(BigInt);
    for (const [label, part] of key.digits.entries()) {
      expect(part.b.basis).toEqual(context.keyBasis(level));
      expect(wordsOf(part.a)).toEqual(wordsOf(expandUniform(ring, part.a.basis, key.seed, label)));
      expectErrors(errorOf(part, s, square, digits[label]));
    }
  });

  test("a Galois key takes s to the secret that the automorphism turns into s", () => {
    for (const element of [3, 2047]) {
      const key = generateGaloisKey(secret, element, 1, random);
      const q = productOf(ring, [0]);
      const output = automorphism(s, inverseElement(1024, element), q).map((c) => (2n * c > q ? c - q : c));
      expect(automorphism(output, element, q)).toEqual(automorphism(s, 1, q));
      for (const [label, part] of key.digits.entries()) {
        expect(wordsOf(part.a)).toEqual(wordsOf(expandUniform(ring, part.a.basis, key.seed, label)));
        expectErrors(errorOf(part, output, s, context.digits(1)[label]));
      }
    }
  });

  test("no two keys share a seed or a half", () => {
    const keys = [0, 1].flatMap(() => [generateRelinearizationKey(secret, 2), generateGaloisKey(secret, 3, 2)]);
    expect(new Set(keys.map(({ seed }) => seed.join())).size).toBe(keys.length);
    const halves = keys.flatMap(({ digits }) => digits.flatMap(({ a, b }) => [a, b]));
    expect(new Set(halves.map((half) => wordsOf(half).subarray(0, 8).join())).size).toBe(halves.length);
  });

  test("keep nothing but themselves in memory", () => {
    secret.power(2);
    const { heap } = ring;
    const makers = [
      () => [generatePublicKey(secret, random)],
      () => generateRelinearizationKey(secret, 2, random).digits,
      () => generateGaloisKey(secret, 3, 1, random).digits,
    ];
    for (const make of makers) {
      const { used } = heap.usage();
      const parts = make().flatMap(({ a, b }) => [a, b]);
      const size = parts.reduce((bytes, { block }) => bytes + 4 * block.length, 0);
      expect(heap.usage().used).toBe(used + size);
      for (const { block } of parts) block.free();
    }
  });

  test("are made for a level that exists", () => {
    expect(() => generateRelinearizationKey(secret, 3)).toThrow("level must be an integer from 0 to 2, got 3");
    expect(() => generateGaloisKey(secret, 4, 1)).toThrow(/Galois element must be odd/);
  });
});
