import { describe, expect, test } from "vitest";
import { type CkksCiphertext, createCkksEvaluator, formatScale, sameScale } from "../../src/ckks/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { createParty, expectWithin, noiseOf, relinearizationOnly, roundingVariance, wordsOf } from "../helpers/rlwe.ts";
import { rootMeanSquare } from "../helpers/statistics.ts";
import {
  conjugated,
  createBench,
  expectNear,
  expectSlots,
  fromSeed,
  mapSlots,
  minus,
  plus,
  randomSlots,
  type Slots,
} from "./support.ts";

describe("scales", () => {
  test("are the same up to the rounding of a few dozen products", () => {
    expect(sameScale(2 ** 30, 2 ** 30 * (1 + 2 ** -45))).toBe(true);
    expect(sameScale(2 ** 30 * (1 + 2 ** -43), 2 ** 30)).toBe(false);
    expect(sameScale(1, 2)).toBe(false);
  });

  test("read as powers of two", () => {
    expect(formatScale(2 ** 30)).toBe("2^30.00");
    expect(formatScale(3)).toBe("2^1.58");
  });
});

describe("64 products with 1.0", () => {
  const LENGTH = 64;
  const SCALE = 2 ** 27;
  const party = createParty({ data: [30, ...new Array<number>(LENGTH).fill(28)], special: [30, 30, 30] });
  const { context } = party;
  const bench = createBench(party);
  const evaluator = createCkksEvaluator(context, relinearizationOnly(party));
  const start = bench.encrypt(randomSlots(512, fromSeed(64)), { scale: SCALE });

  /** Multiplies down the whole chain; each one is at the scale of the prime that the product is divided by. */
  function descend(multiply: (ciphertext: CkksCiphertext, scale: number) => CkksCiphertext): CkksCiphertext {
    let ciphertext = start.ciphertext;
    while (ciphertext.level > 0) {
      const product = multiply(ciphertext, context.ring.moduli[ciphertext.level]!.value);
      const rescaled = evaluator.rescale(product);
      freeCiphertext(product);
      if (ciphertext !== start.ciphertext) freeCiphertext(ciphertext);
      ciphertext = rescaled;
    }
    return ciphertext;
  }

  const plainly = (factorAt: (level: number) => Slots): CkksCiphertext =>
    descend((ciphertext, scale) => {
      const factor = bench.encode(factorAt(ciphertext.level), { scale, level: ciphertext.level });
      const product = evaluator.multiplyPlain(ciphertext, factor);
      factor.polynomial.block.free();
      return product;
    });
  const ones = { real: new Float64Array(512).fill(1), imaginary: new Float64Array(512) };
  const plain = plainly(() => ones);
  const turn = mapSlots(512, (i) => [Math.cos(i), Math.sin(i)]);
  const turnedAndBack = plainly((level) => (level % 2 === 0 ? turn : conjugated(turn)));
  const encrypted = descend((ciphertext, scale) => {
    const { level } = ciphertext;
    const one = bench.encrypt(ones, { scale, level }).ciphertext;
    const product = evaluator.multiply(ciphertext, one);
    const relinearized = evaluator.relinearize(product);
    for (const each of [one, product]) freeCiphertext(each);
    return relinearized;
  });
  const rescaling = LENGTH * bench.rescaling(SCALE);

  test("that are plaintexts change nothing: a factor that is the prime itself divides out", () => {
    expect(plain.level).toBe(0);
    expect(sameScale(plain.scale, SCALE)).toBe(true);
    const direct = evaluator.dropLevel(start.ciphertext, 0);
    expect(plain.components.map(wordsOf)).toEqual(direct.components.map(wordsOf));
  });

  test("made up of turns and their inverses stay within the noise of 64 roundings", () => {
    expect(sameScale(turnedAndBack.scale, SCALE)).toBe(true);
    expectSlots(bench.decrypt(turnedAndBack), {
      slots: start.slots,
      variance: start.variance.map((each) => each + rescaling),
    });
  });

  test("that are ciphertexts do so within the noise of 64 products", () => {
    expect(sameScale(encrypted.scale, SCALE)).toBe(true);
    let added = rescaling;
    for (let level = LENGTH; level > 0; level--) {
      const scale = context.ring.moduli[level]!.value;
      // Each one has a fresh error, multiplied by slots of mean square 2/3, and each product is switched.
      added += (2 / 3) * (start.variance[0]! * (SCALE / scale) ** 2) + bench.switching(level, SCALE * scale);
    }
    expectSlots(bench.decrypt(encrypted), { slots: start.slots, variance: start.variance.map((each) => each + added) });
  });

  test("end at a scale that adds to that of a path without any", () => {
    const direct = evaluator.dropLevel(start.ciphertext, 0);
    const variance = start.variance.map((each) => 4 * each + rescaling);
    const sum = bench.decrypt(evaluator.add(turnedAndBack, direct));
    expectNear(sum, plus(start.slots, start.slots), variance);
    const difference = bench.decrypt(evaluator.subtract(direct, turnedAndBack));
    expectNear(difference, minus(start.slots, start.slots), variance);
    expect(evaluator.add(encrypted, plain).scale).toBe(encrypted.scale);
  });
});

describe("the noise of a rescale at N = 8192", () => {
  const party = createParty({ degree: 8192, data: [30, 27, 27], special: [30], security: 128 });
  const { context, secret } = party;
  const bench = createBench(party);
  const evaluator = createCkksEvaluator(context, relinearizationOnly(party));
  const zero = bench.encrypt({ real: new Float64Array(1), imaginary: new Float64Array(1) }, { scale: 1 }).ciphertext;
  const product = evaluator.multiply(zero, zero);

  test("of two components is 21.3, not the 34.6 of a floor", () => {
    const sigma = rootMeanSquare(noiseOf(secret, evaluator.rescale(zero)));
    expectWithin(sigma, Math.sqrt(roundingVariance(8192)), 0.03);
    expectWithin(sigma, 21.5, 0.03);
  });

  test("of three components is 2,217: relinearize first", () => {
    const late = rootMeanSquare(noiseOf(secret, evaluator.rescale(product)));
    expectWithin(late, Math.sqrt(roundingVariance(8192, 3)), 0.05);
    expectWithin(late, 2217, 0.05);
    const early = rootMeanSquare(noiseOf(secret, evaluator.rescale(evaluator.relinearize(product))));
    expectWithin(early, Math.sqrt(roundingVariance(8192)), 0.05);
  });
});
