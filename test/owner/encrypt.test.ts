import { describe, expect, test } from "vitest";
import { createEncoder } from "../../src/ckks/index.ts";
import { ERROR_VARIANCE, expandUniform } from "../../src/math/index.ts";
import { encryptSymmetric } from "../../src/owner/index.ts";
import { CIPHERTEXT_SEED_LABEL, freeCiphertext } from "../../src/rlwe/index.ts";
import { createParty, expectWithin, noiseOf, wordsOf } from "../helpers/rlwe.ts";
import { mean, rootMeanSquare } from "../helpers/statistics.ts";

const { context, secret, random } = createParty({ data: [28, 28, 28], special: [29] });
const encoder = createEncoder(context);
const ramp = Array.from({ length: 512 }, (_, i) => i / 256 - 1);

describe("symmetric encryption", () => {
  test.each([0, 1, 2])("at level %i carries the plaintext's level and scale, and fresh noise", (level) => {
    const plaintext = encoder.encode(ramp, { scale: 2 ** 20, level });
    const ciphertext = encryptSymmetric(secret, plaintext, random);
    expect(ciphertext).toMatchObject({ level, scale: 2 ** 20 });
    expect(ciphertext.context).toBe(context);
    expect(ciphertext.components.map(({ basis }) => basis)).toEqual([
      context.dataBasis(level),
      context.dataBasis(level),
    ]);
    const noise = noiseOf(secret, ciphertext, plaintext.polynomial);
    expect(noise.every((error) => Math.abs(error) <= 21)).toBe(true);
    expectWithin(rootMeanSquare(noise), Math.sqrt(ERROR_VARIANCE), 0.1);
    expect(Math.abs(mean(noise))).toBeLessThan((5 * Math.sqrt(ERROR_VARIANCE)) / 32);
  });

  test("has sigma 3.24 at N = 8192", () => {
    const large = createParty({ degree: 8192, data: [30, 27], special: [30], security: 128 });
    const plaintext = createEncoder(large.context).encode(ramp, { scale: 2 ** 30 });
    const noise = noiseOf(large.secret, encryptSymmetric(large.secret, plaintext, large.random), plaintext.polynomial);
    expectWithin(rootMeanSquare(noise), 3.24, 0.03);
  });

  test("takes component 1 from the seed that it carries, any subset of limbs alone", () => {
    const { seed, components } = encryptSymmetric(secret, encoder.encode(ramp, { scale: 2 ** 20 }), random);
    expect(seed).toHaveLength(32);
    const whole = expandUniform(context.ring, [0, 1, 2], seed!, CIPHERTEXT_SEED_LABEL);
    expect(wordsOf(components[1]!)).toEqual(wordsOf(whole));
    const last = expandUniform(context.ring, [2], seed!, CIPHERTEXT_SEED_LABEL);
    expect(wordsOf(last)).toEqual(wordsOf(whole).subarray(2 * 1024));
  });

  test("never repeats itself: same plaintext, other seed, other words", () => {
    const plaintext = encoder.encode(ramp, { scale: 2 ** 20 });
    const before = wordsOf(plaintext.polynomial);
    const ciphertexts = Array.from({ length: 8 }, () => encryptSymmetric(secret, plaintext));
    expect(wordsOf(plaintext.polynomial)).toEqual(before);
    expect(new Set(ciphertexts.map(({ seed }) => seed!.join())).size).toBe(8);
    for (const i of [0, 1]) {
      expect(new Set(ciphertexts.map(({ components }) => wordsOf(components[i]!).join())).size).toBe(8);
    }
  });

  test("keeps nothing but the ciphertext in memory", () => {
    const { heap } = context.ring;
    const plaintext = encoder.encode(ramp, { scale: 2 ** 20 });
    const { used } = heap.usage();
    const ciphertext = encryptSymmetric(secret, plaintext, random);
    expect(heap.usage().used).toBe(used + 2 * 3 * 1024 * 4);
    freeCiphertext(ciphertext);
    expect(heap.usage().used).toBe(used);
  });
});
