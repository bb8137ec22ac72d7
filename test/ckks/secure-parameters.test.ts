import { describe, expect, test } from "vitest";
import { createCkksEvaluator, encryptPublic } from "../../src/ckks/index.ts";
import { generatePublicKey } from "../../src/owner/index.ts";
import {
  createParty,
  createTestContext,
  expectRefusal,
  expectWithin,
  noiseOf,
  roundingVariance,
} from "../helpers/rlwe.ts";
import { rootMeanSquare } from "../helpers/statistics.ts";
import {
  createBench,
  expectSlots,
  fromSeed,
  keysFor,
  productVariance,
  randomSlots,
  rounded,
  times,
  turned,
} from "./support.ts";

const shape = { degree: 8192, data: [30, 27, 30, 27, 30, 27], special: [30], security: 128 } as const;

describe("at N = 8192 and 128 bits of security, with primes of [30, 27, 30, 27, 30, 27] + [30] bits", () => {
  const party = createParty(shape);
  const { context, secret, random } = party;
  const bench = createBench(party);
  const evaluator = createCkksEvaluator(context, keysFor(party, [1, 1024]));
  const prime = (level: number): number => context.ring.moduli[level]!.value;

  test("the modulus fits the table, the next prime would not", () => {
    expect(context.modulusBits).toBeLessThanOrEqual(214);
    expectRefusal(() => createTestContext({ ...shape, data: [...shape.data, 27] }), "INSECURE_PARAMETERS", "214 bits");
  });

  test("a rotation, a square, a plaintext product and a rotation, encrypted under the public key", () => {
    const scale = 2 ** 30;
    const slots = randomSlots(4096, fromSeed(30), "real");
    const plaintext = bench.encode(slots, { scale });
    const ciphertext = encryptPublic(context, plaintext, generatePublicKey(secret, random), random);
    expectWithin(
      rootMeanSquare(noiseOf(secret, ciphertext, plaintext.polynomial)),
      Math.sqrt(roundingVariance(8192)),
      0.05,
    );
    let variance = slots.real.map(() => bench.encoding(scale) + bench.rescaling(scale));
    let expected = slots;
    let result = ciphertext;
    expectSlots(bench.decrypt(result), { slots: expected, variance });

    result = evaluator.rotate(result, 1024);
    expected = turned(expected, 1024);
    variance = variance.map((each) => each + bench.switching(5, scale));
    expectSlots(bench.decrypt(result), { slots: expected, variance });

    const level5 = { slots: expected, variance };
    result = evaluator.rescale(evaluator.relinearize(evaluator.multiply(result, result)));
    expected = times(expected, expected);
    variance = productVariance(level5, level5).map(
      (each) => 2 * each + bench.switching(5, scale ** 2) + bench.rescaling(result.scale),
    );
    expect(result.scale).toBe(scale ** 2 / prime(5));
    expectSlots(bench.decrypt(result), { slots: expected, variance });

    // A plaintext at this scale brings the message back to 2^30 exactly.
    const target = (scale * prime(4)) / result.scale;
    const weights = randomSlots(4096, fromSeed(31), "real");
    const level4 = { slots: expected, variance };
    result = evaluator.rescale(evaluator.multiplyPlain(result, bench.encode(weights, { scale: target, level: 4 })));
    expected = times(expected, weights);
    variance = productVariance(level4, rounded(bench, weights, target)).map((each) => each + bench.rescaling(scale));
    expect(result.scale / scale).toBeCloseTo(1, 12);
    expectSlots(bench.decrypt(result), { slots: expected, variance });

    result = evaluator.rotate(result, 1);
    expectSlots(bench.decrypt(result), {
      slots: turned(expected, 1),
      variance: turned({ real: variance, imaginary: variance }, 1).real.map((each) => each + bench.switching(3, scale)),
    });
    expect(result.level).toBe(3);
  });
});
