import { describe, expect, test } from "vitest";
import { multiply } from "../../src/math/bigint-ntt.ts";
import { multiplyMod, type Polynomial, readLimb, zeroPolynomial } from "../../src/math/index.ts";
import {
  createSecretKey,
  decryptPhase,
  encryptSymmetric,
  generateGaloisKey,
  generatePublicKey,
} from "../../src/owner/index.ts";
import { productOf, toBigints } from "../helpers/ring.ts";
import { createParty, createTestContext, heapHolds, smallCoefficients, wordsOf } from "../helpers/rlwe.ts";

const shape = { data: [28, 28], special: [29] };

describe("the secret key", () => {
  test("is uniform on {-1, 0, 1}, over all primes", () => {
    const { secret, context } = createParty({ ...shape, degree: 8192 });
    expect(secret.polynomial.basis).toEqual(context.keyBasis(context.maxLevel));
    const counts = new Map<number, number>();
    for (const sign of smallCoefficients(secret.polynomial)) counts.set(sign, (counts.get(sign) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([-1, 0, 1]);
    // Five standard deviations of a count, sqrt(N * 2/9).
    for (const count of counts.values()) expect(Math.abs(count - 8192 / 3)).toBeLessThan(5 * Math.sqrt((8192 * 2) / 9));
  });

  test("differs from one key to the next with the system's randomness", () => {
    const context = createTestContext(shape);
    expect(wordsOf(createSecretKey(context).polynomial)).not.toEqual(wordsOf(createSecretKey(context).polynomial));
  });

  test("has powers, each made once", () => {
    const { secret, context } = createParty(shape);
    const modulus = productOf(context.ring, secret.polynomial.basis);
    const s = toBigints(secret.polynomial);
    expect(secret.power(1)).toBe(secret.polynomial);
    const square = multiply(s, s, modulus);
    expect(toBigints(secret.power(3))).toEqual(multiply(square, s, modulus));
    expect(toBigints(secret.power(2))).toEqual(square);
    expect(secret.power(2)).toBe(secret.power(2));
  });

  test("is overwritten by destroy(), with its powers, and its memory given back", () => {
    const context = createTestContext(shape);
    const { heap } = context.ring;
    const { used } = heap.usage();
    const secret = createSecretKey(context);
    const polynomials = [1, 2, 3].map((exponent) => secret.power(exponent));
    expect(heap.usage().used).toBe(used + 3 * 3 * 1024 * 4);
    secret.destroy();
    for (const polynomial of polynomials) expect(wordsOf(polynomial).every((word) => word === 0)).toBe(true);
    expect(heap.usage().used).toBe(used);
    secret.destroy();
    expect(heap.usage().used).toBe(used);
  });

  test("destroyed twice, it does not overwrite who lives in its memory now", () => {
    const context = createTestContext(shape);
    const secret = createSecretKey(context);
    secret.destroy();
    const other = createSecretKey(context);
    const words = wordsOf(other.polynomial);
    secret.destroy();
    expect(wordsOf(other.polynomial)).toEqual(words);
  });

  test("cannot be used after its end", () => {
    const { secret, random } = createParty(shape);
    const zero = zeroPolynomial(secret.context.ring, [0, 1], "ntt");
    secret.destroy();
    const uses = [
      () => secret.polynomial,
      () => secret.power(2),
      () => encryptSymmetric(secret, { polynomial: zero, level: 1, scale: 1 }, random),
      () => generatePublicKey(secret, random),
    ];
    for (const use of uses) expect(use).toThrow(new TypeError("the secret key was destroyed; make a new one"));
  });

  describe("leaves no trace in memory that was given back:", () => {
    const { secret, context, random } = createParty(shape);
    const { ring } = context;
    // Limb 1, since the next thing that needs memory overwrites what lay in the first limb anyway.
    const p = ring.moduli[1]!;
    const limb = (polynomial: Polynomial) => readLimb(polynomial, 1);
    const product = (left: Int32Array, right: Int32Array) => left.map((word, i) => multiplyMod(word, right[i]!, p));
    const key = limb(secret.polynomial);

    test("its image, the gadget's multiple and the mask, after making a Galois key", () => {
      const { digits } = generateGaloisKey(secret, 3, 1, random);
      // 3 * 683 = 2049 = 1 modulo 2N.
      const image = Int32Array.from(context.permutation(683), (index) => key[index]!);
      const special = context.parameters.specialPrimes[0]! % p.value;
      const gadget = key.map((word) => multiplyMod(word, special, p));
      const mask = product(limb(digits[1]!.a), image);
      expect([image, gadget, mask].map((trace) => heapHolds(ring, trace))).toEqual([false, false, false]);
    });

    test("the mask, after making a public key", () => {
      expect(heapHolds(ring, product(limb(generatePublicKey(secret, random).a), key))).toBe(false);
    });

    test("the mask, after encryption and after decryption", () => {
      const zero = zeroPolynomial(ring, [0, 1], "ntt");
      const ciphertext = encryptSymmetric(secret, { polynomial: zero, level: 1, scale: 1 }, random);
      const mask = product(limb(ciphertext.components[1]!), key);
      expect(heapHolds(ring, mask)).toBe(false);
      const phase = decryptPhase(secret, ciphertext);
      expect(heapHolds(ring, mask)).toBe(false);
      phase.block.free();
    });

    test("itself and its square, after its end", () => {
      const square = limb(secret.power(2));
      expect([key, square].map((trace) => heapHolds(ring, trace))).toEqual([true, true]);
      secret.destroy();
      expect([key, square].map((trace) => heapHolds(ring, trace))).toEqual([false, false]);
    });
  });
});
