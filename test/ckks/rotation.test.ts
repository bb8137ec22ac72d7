import { describe, expect, test } from "vitest";
import { createCkksEvaluator } from "../../src/ckks/index.ts";
import type { Polynomial } from "../../src/math/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { createParty, wordsOf } from "../helpers/rlwe.ts";
import {
  conjugated,
  createBench,
  expectNear,
  expectSlots,
  fromSeed,
  keysFor,
  mapSlots,
  plus,
  productVariance,
  randomSlots,
  rounded,
  type Slots,
  times,
  turned,
} from "./support.ts";

const SLOTS = 512;
const SCALE = 2 ** 26;
const party = createParty({ data: [30, 28], special: [30] });
const bench = createBench(party);
const everyStep = Array.from({ length: SLOTS }, (_, k) => k);
const evaluator = createCkksEvaluator(party.context, keysFor(party, everyStep));

const ramp = bench.encrypt(
  mapSlots(SLOTS, (i) => [i / SLOTS, -i / SLOTS]),
  { scale: SCALE },
);
const switched = ramp.variance.map((each) => each + bench.switching(1, SCALE));
const twice = ramp.variance.map((each) => each + 2 * bench.switching(1, SCALE));

/** Word by word, without the cost of an assertion on each of half a million arrays' elements. */
const same = (left: Polynomial, right: Polynomial): boolean => {
  const words = wordsOf(right);
  return wordsOf(left).every((word, i) => word === words[i]);
};

describe("a slot ramp", () => {
  test("rotated by every k is the plain shift, hoisted or not", () => {
    const hoisted = evaluator.rotateHoisted(ramp.ciphertext, everyStep);
    expect(hoisted).toHaveLength(SLOTS);
    for (const k of everyStep) {
      const expected = turned(ramp.slots, k);
      const alone = evaluator.rotate(ramp.ciphertext, k);
      expectSlots(bench.decrypt(hoisted[k]!), { slots: expected, variance: k === 0 ? ramp.variance : switched });
      for (const i of [0, 1]) expect(same(alone.components[i]!, hoisted[k]!.components[i]!)).toBe(true);
      freeCiphertext(alone);
      freeCiphertext(hoisted[k]!);
    }
  });

  test("rotated by k and then by -k, or by the rest of the turn, is as it was", () => {
    for (const k of [1, 2, 3, 64, 100, 255, 256, 257, 510, 511]) {
      for (const back of [-k, SLOTS - k]) {
        const there = evaluator.rotate(ramp.ciphertext, k);
        const again = evaluator.rotate(there, back);
        expectNear(bench.decrypt(again), ramp.slots, twice);
        for (const each of [there, again]) freeCiphertext(each);
      }
    }
  });

  test("counts steps modulo the number of slots, in both directions", () => {
    const steps = [-1, -511, -512, 512, 513, 1025];
    for (const [i, result] of evaluator.rotateHoisted(ramp.ciphertext, steps).entries()) {
      expectNear(bench.decrypt(result), turned(ramp.slots, steps[i]!), switched);
    }
  });

  test("conjugated is mirrored at the real axis, twice is itself, and commutes with a rotation", () => {
    const once = evaluator.conjugate(ramp.ciphertext);
    expectSlots(bench.decrypt(once), { slots: conjugated(ramp.slots), variance: switched });
    expectNear(bench.decrypt(evaluator.conjugate(once)), ramp.slots, twice);
    const expected = conjugated(turned(ramp.slots, 7));
    expectNear(bench.decrypt(evaluator.rotate(once, 7)), expected, twice);
    expectNear(bench.decrypt(evaluator.conjugate(evaluator.rotate(ramp.ciphertext, 7))), expected, twice);
  });
});

describe("sparse vectors", () => {
  test.each([1, 2, 4, 8, 64, 256])("of %i slots rotate modulo their length", (length) => {
    const tracked = bench.encrypt(randomSlots(length, fromSeed(length)), { scale: SCALE });
    const variance = tracked.variance.map((each) => each + bench.switching(1, SCALE));
    for (const k of [0, 1, 2, length - 1, length, length + 1, 3 * length + 2, -1]) {
      const rotated = evaluator.rotate(tracked.ciphertext, k);
      expectNear(bench.decrypt(rotated, length), turned(tracked.slots, k), variance);
    }
    expectNear(bench.decrypt(evaluator.conjugate(tracked.ciphertext), length), conjugated(tracked.slots), variance);
  });

  test("are their own repetition when all slots are read", () => {
    const { ciphertext, slots, variance } = bench.encrypt(randomSlots(8, fromSeed(8)), { scale: SCALE });
    const repeated = mapSlots(SLOTS, (i) => [slots.real[i % 8]!, slots.imaginary[i % 8]!]);
    expectSlots(bench.decrypt(ciphertext), { slots: repeated, variance: new Float64Array(SLOTS).fill(variance[0]!) });
  });
});

describe("raised rotations", () => {
  const weights = everyStep.slice(0, 6).map((i) => randomSlots(SLOTS, fromSeed(100 + i)));
  const steps = [0, 1, -1, 64, 511, 200];
  const sum = (parts: Slots[]): Slots => parts.reduce(plus);
  const exact = sum(steps.map((step, i) => times(turned(ramp.slots, step), weights[i]!)));

  test.each([1, 0])("at level %i: the weighted sum is that of the plain shifts, with one division by P", (level) => {
    const scale = 2 ** 20;
    const ciphertext = evaluator.dropLevel(bench.encrypt(ramp.slots, { scale: 2 ** 8 }).ciphertext, level);
    const raised = evaluator.raised.rotate(ciphertext, steps);
    const terms = raised.map((each, i) => ({
      ciphertext: each,
      plaintext: bench.encode(weights[i]!, { scale, level, raised: true }),
    }));
    const result = evaluator.raised.lower(evaluator.raised.weightedSum(terms));
    expect(result).toMatchObject({ level, scale: 2 ** 28 });
    const fresh = bench.encrypt(ramp.slots, { scale: 2 ** 8 }).variance;
    const variance = new Float64Array(SLOTS).fill(bench.rescaling(2 ** 28));
    for (const [i, step] of steps.entries()) {
      const noise = fresh.map((each) => each + (step === 0 ? 0 : bench.switching(level, 2 ** 8)));
      const part = productVariance(
        { slots: turned(ramp.slots, step), variance: noise },
        rounded(bench, weights[i]!, scale),
      );
      part.forEach((each, t) => {
        variance[t]! += each;
      });
    }
    expectNear(bench.decrypt(result), exact, variance);
  });

  test("cost one rounding where rotations by themselves cost one each", () => {
    const scale = 2 ** 20;
    const ciphertext = bench.encrypt(ramp.slots, { scale: SCALE }).ciphertext;
    const level = 1;
    const terms = evaluator.raised.rotate(ciphertext, steps).map((each, i) => ({
      ciphertext: each,
      plaintext: bench.encode(weights[i]!, { scale, level, raised: true }),
    }));
    const together = evaluator.raised.lower(evaluator.raised.weightedSum(terms));
    const apart = evaluator.weightedSum(
      evaluator.rotateHoisted(ciphertext, steps).map((each, i) => ({
        ciphertext: each,
        plaintext: bench.encode(weights[i]!, { scale, level }),
      })),
    );
    const error = ({ real, imaginary }: Slots): number => {
      let square = 0;
      real.forEach((part, i) => {
        square += (part - exact.real[i]!) ** 2 + (imaginary[i]! - exact.imaginary[i]!) ** 2;
      });
      return square;
    };
    expect(error(bench.decrypt(together))).toBeLessThan(error(bench.decrypt(apart)));
  });

  const difference = (left: Slots, right: Slots): number =>
    Math.max(
      ...left.real.map((part, i) => Math.hypot(part - right.real[i]!, left.imaginary[i]! - right.imaginary[i]!)),
    );

  test("a raised source is turned as its plain form is, and sums of both are the sums of the plain ones", () => {
    const ciphertext = bench.encrypt(ramp.slots, { scale: SCALE }).ciphertext;
    const { raised } = evaluator;
    const source = raised.raise(ciphertext);
    const [kept, once] = raised.rotate(source, [0, 1]);
    const [twice] = raised.rotate(once!, [1]);
    const total = raised.lower(raised.add(raised.add(kept!, once!), twice!));
    const wanted = [0, 1, 2].map((step) => turned(ramp.slots, step)).reduce(plus);
    const plain = evaluator.rotateHoisted(ciphertext, [0, 1, 2]).reduce((l, r) => evaluator.add(l, r));
    const size = Math.max(...wanted.real.map(Math.abs));
    expect(difference(bench.decrypt(total), wanted) / size).toBeLessThan(1e-3);
    expect(difference(bench.decrypt(total), bench.decrypt(plain)) / size).toBeLessThan(1e-3);
  });

  test("lowering and rescaling at once is lowering, then rescaling, up to one rounding", () => {
    const { raised } = evaluator;
    const square = evaluator.multiply(
      bench.encrypt(ramp.slots, { scale: 2 ** 20 }).ciphertext,
      bench.encrypt(ramp.slots, { scale: 2 ** 20 }).ciphertext,
    );
    const relinearized = raised.relinearize(square);
    const fused = raised.lowerAndRescale(relinearized);
    const apart = evaluator.rescale(evaluator.relinearize(square));
    expect(fused).toMatchObject({ level: apart.level, scale: apart.scale });
    // One rounding of both components, and one more of the other way: some 30 in each of 2s coefficients, with room for its tail.
    const rounding = (16 * Math.sqrt(2) * 22 * Math.sqrt(SLOTS)) / fused.scale;
    expect(difference(bench.decrypt(fused), bench.decrypt(apart))).toBeLessThan(rounding);
  });
});
