import { describe, expect, test } from "vitest";
import { type CkksCiphertext, createEncoder } from "../../src/ckks/index.ts";
import { modCentred, multiply } from "../../src/math/bigint-ntt.ts";
import { expandUniform, randomSeed } from "../../src/math/index.ts";
import { decryptPhase, encryptSymmetric } from "../../src/owner/index.ts";
import { createRlweContext } from "../../src/rlwe/index.ts";
import { productOf, toBigints } from "../helpers/ring.ts";
import { createParty, expectRefusal, smallCoefficients, wordsOf } from "../helpers/rlwe.ts";
import { rootMeanSquare } from "../helpers/statistics.ts";

const party = createParty({ data: [28, 28], special: [29] });
const { context, secret, random } = party;
const encoder = createEncoder(context);
const ramp = Array.from({ length: 512 }, (_, i) => i / 256 - 1);

describe("decryption", () => {
  test.each([2, 3, 4])("of %i components is c_0 + c_1 s + … modulo Q, as the textbook has it", (count) => {
    for (const level of [0, 1]) {
      const basis = context.dataBasis(level);
      const q = productOf(context.ring, basis);
      const components = Array.from({ length: count }, () => expandUniform(context.ring, basis, randomSeed(random), 0));
      const words = components.map(wordsOf);
      const s = [...smallCoefficients(secret.polynomial)].map(BigInt);
      // Horner's rule.
      const expected = components
        .map(toBigints)
        .reduceRight((sum, component) => multiply(sum, s, q).map((value, i) => (value + component[i]!) % q));
      const phase = decryptPhase(secret, { context, components, level });
      expect(phase.domain).toBe("coefficient");
      expect(toBigints(phase)).toEqual(expected);
      expect(components.map(wordsOf)).toEqual(words);
    }
  });

  test("with another key of the same parameters yields noise as large as the modulus", () => {
    const stranger = createParty(context, 2);
    const ciphertext = encryptSymmetric(secret, encoder.encode(ramp, { scale: 2 ** 30 }), random);
    const q = productOf(context.ring, [0, 1]);
    const spread = (key: typeof secret): number => {
      const phase = toBigints(decryptPhase(key, ciphertext)).map((coefficient) => modCentred(coefficient, q));
      return rootMeanSquare(phase.map(Number)) / Number(q);
    };
    expect(spread(secret)).toBeLessThan(2 ** -20);
    expect(spread(stranger.secret)).toBeCloseTo(Math.sqrt(1 / 12), 1);
    const { real } = encoder.decode(decryptPhase(stranger.secret, ciphertext), ciphertext.scale);
    expect(rootMeanSquare(real)).toBeGreaterThan(2 ** 20);
  });

  test("refuses a ciphertext of other parameters, also of an equal context made anew", () => {
    for (const other of [createParty({ data: [28], special: [29] }).context, createRlweContext(context.parameters)]) {
      const ciphertext: CkksCiphertext = {
        ...encryptSymmetric(secret, encoder.encode(ramp, { scale: 1 })),
        context: other,
      };
      expectRefusal(
        () => decryptPhase(secret, ciphertext),
        "FOREIGN_OBJECT",
        other.id,
        context.id,
        "use the key that it was encrypted for",
      );
    }
  });

  test("keeps nothing but the phase in memory", () => {
    const ciphertext = encryptSymmetric(secret, encoder.encode(ramp, { scale: 2 ** 20 }), random);
    const { heap } = context.ring;
    const { used } = heap.usage();
    const phase = decryptPhase(secret, ciphertext);
    expect(heap.usage().used).toBe(used + 2 * 1024 * 4);
    phase.block.free();
    expect(heap.usage().used).toBe(used);
  });
});
