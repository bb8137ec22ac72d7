import { describe, expect, test } from "vitest";
import { generatePublicKey } from "../../src/owner/index.ts";
import { encryptWithPublicKey, freeCiphertext } from "../../src/rlwe/index.ts";
import { nttFromBigints } from "../helpers/ring.ts";
import { createParty, expectWithin, noiseOf, type Party, roundingVariance, wordsOf } from "../helpers/rlwe.ts";
import { mean, rootMeanSquare } from "../helpers/statistics.ts";

const messageAt = ({ context }: Party, level: number) =>
  nttFromBigints(
    context.ring,
    context.dataBasis(level),
    Array.from({ length: context.ring.degree }, (_, i) => BigInt(i - 500) ** 3n),
  );

describe("public-key encryption", () => {
  const party = createParty({ data: [28, 28, 28, 28], special: [29, 29] });
  const { context, secret, random } = party;
  const key = generatePublicKey(secret, random);

  test.each([0, 1, 2, 3])("at level %i has the noise of one rounding", (level) => {
    const message = messageAt(party, level);
    const ciphertext = encryptWithPublicKey(context, message, key, random);
    expect(ciphertext.level).toBe(level);
    expect(ciphertext.context).toBe(context);
    expect(ciphertext.seed).toBeUndefined();
    expect(ciphertext.components.map(({ basis }) => basis)).toEqual([
      context.dataBasis(level),
      context.dataBasis(level),
    ]);
    const noise = noiseOf(secret, ciphertext, message);
    expectWithin(rootMeanSquare(noise), Math.sqrt(roundingVariance(1024)), 0.1);
    expect(Math.abs(mean(noise))).toBeLessThan((5 * Math.sqrt(roundingVariance(1024))) / 32);
  });

  test("is randomized in both components, and leaves the message as it was", () => {
    const message = messageAt(party, 3);
    const before = wordsOf(message);
    const [left, right] = [0, 1].map(() => encryptWithPublicKey(context, message, key));
    expect(wordsOf(message)).toEqual(before);
    for (const i of [0, 1]) expect(wordsOf(left!.components[i]!)).not.toEqual(wordsOf(right!.components[i]!));
  });

  test("keeps nothing but the ciphertext in memory", () => {
    const message = messageAt(party, 1);
    const { used } = context.ring.heap.usage();
    const ciphertext = encryptWithPublicKey(context, message, key, random);
    expect(context.ring.heap.usage().used).toBe(used + 2 * 2 * 1024 * 4);
    freeCiphertext(ciphertext);
    expect(context.ring.heap.usage().used).toBe(used);
  });

  test("at N = 8192: sigma about 22, not the 343 of encryption modulo Q", () => {
    const large = createParty({ degree: 8192, data: [30, 27], special: [30], security: 128 });
    const message = messageAt(large, 1);
    const publicKey = generatePublicKey(large.secret, large.random);
    const noise = noiseOf(large.secret, encryptWithPublicKey(large.context, message, publicKey, large.random), message);
    expectWithin(rootMeanSquare(noise), Math.sqrt(roundingVariance(8192)), 0.05);
    expectWithin(rootMeanSquare(noise), 22, 0.1);
  });
});
