import { describe, expect, test } from "vitest";
import { createBfvContext, scaledPlaintext } from "../../src/bfv/index.ts";
import { divideRound, mod } from "../../src/math/bigint-ntt.ts";
import { createEngine, PRIME_CEILING } from "../../src/math/index.ts";
import { multiplyLarge } from "../helpers/big-polynomial.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";
import { productOf, toBigints } from "../helpers/ring.ts";
import { bfvParameters, createBfvParty, randomResidues } from "./support.ts";

const MODULI = [2, 3, 256, 65_537, 13_513_511, 2 ** 29, 2 ** 29 + 3, PRIME_CEILING - 1, PRIME_CEILING - 2];

describe.each(["ts", "wasm"] as const)("messages on the %s backend", (backend) => {
  const engine = createEngine({ backend });

  test.each(MODULI)("modulo %i are scaled to round(Q m / t), halves upwards, at every level that has room", (t) => {
    const parameters = { ...bfvParameters({ data: [30, 27, 22, 30], special: [30] }), plainModulus: t };
    const context = createBfvContext(parameters, { engine });
    const { ring, maxLevel } = context;
    const corners = [0, 1, t - 1, Math.floor(t / 2), Math.floor(t / 2) + 1].filter((m) => m < t);
    const random = randomIntegers(ring.degree - corners.length, t, seededRandom(t % 1000));
    const coefficients = Int32Array.from([...corners, ...random]);
    for (let level = 1; level <= maxLevel; level++) {
      const q = productOf(ring, context.dataBasis(level));
      const scaled = scaledPlaintext(context, { coefficients, plainModulus: t }, level);
      const expected = Array.from(coefficients, (m) => mod(divideRound(q * BigInt(m), BigInt(t)), q));
      expect(toBigints(scaled)).toEqual(expected);
      scaled.block.free();
    }
    expect(engine.heap.usage().used).toBe(0);
  });

  test("multiply, add and subtract as polynomials, also where t is larger than a prime", () => {
    const party = createBfvParty({ data: [30, 20, 30, 30], special: [], plain: 13_513_510 }, { engine });
    const { evaluator, context, random } = party;
    const t = BigInt(context.plainModulus);
    const [m, n] = [randomResidues(party, random), randomResidues(party, random)];
    const plaintext = { coefficients: n, plainModulus: context.plainModulus };
    const [a, b] = [m, n].map((values) => Array.from(values, BigInt)) as [bigint[], bigint[]];
    const ciphertext = party.encrypt(m);
    const inCoefficients = evaluator.toCoefficients(ciphertext);
    const decrypted = (result: Parameters<typeof party.decrypt>[0]): bigint[] =>
      Array.from(party.decrypt(result), BigInt);
    expect(decrypted(evaluator.multiplyPlain(ciphertext, plaintext))).toEqual(multiplyLarge(a, b, t));
    for (const each of [ciphertext, inCoefficients]) {
      expect(decrypted(evaluator.addPlain(each, plaintext))).toEqual(a.map((value, i) => mod(value + b[i]!, t)));
      expect(decrypted(evaluator.subtractPlain(each, plaintext))).toEqual(a.map((value, i) => mod(value - b[i]!, t)));
    }
    expect(decrypted(evaluator.toNtt(inCoefficients))).toEqual(a);
    // More terms than one pass takes.
    const weights = Array.from({ length: 600 }, (_, i) => 300 - i);
    const sum = weights.map((weight) => ({ ciphertext: inCoefficients, weight }));
    const total = BigInt(weights.reduce((left, right) => left + right));
    expect(decrypted(evaluator.weightedSum(sum))).toEqual(a.map((value) => mod(value * total, t)));
  });
});
