import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CkksCiphertext, type CkksEvaluator, createCkksEvaluator } from "../../src/ckks/index.ts";
import { type RandomSource, systemRandom } from "../../src/math/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { createParty, relinearizationOnly } from "../helpers/rlwe.ts";
import {
  type Bench,
  conjugated,
  createBench,
  expectNear,
  expectSlots,
  fromSeed,
  keysFor,
  minus,
  plus,
  productVariance,
  randomSlots,
  rounded,
  sumVariance,
  type Tracked,
  times,
  turned,
} from "./support.ts";

const party = createParty({ data: [30, 28, 28, 28, 28], special: [30] });
const { context } = party;
const bench = createBench(party);
const STEPS = [1, -3, 64, 256];
const evaluator = createCkksEvaluator(context, keysFor(party, STEPS));
const SCALE = 2 ** 26;
const prime = (level: number): number => context.ring.moduli[level]!.value;

const cases = fc.record({
  seed: fc.nat(),
  kind: fc.constantFrom("real" as const, "complex" as const),
  level: fc.integer({ min: 1, max: context.maxLevel }),
  sparse: fc.constantFrom(512, 512, 256),
});

/** Runs a property on two encryptions, frees them and what it returns. */
function forAll(
  property: (left: Tracked, right: Tracked, random: RandomSource) => Iterable<CkksCiphertext>,
  numRuns = 20,
): void {
  fc.assert(
    fc.property(cases, ({ seed, kind, level, sparse }) => {
      const random = fromSeed(seed);
      const draw = () => bench.encrypt(randomSlots(sparse, random, kind), { scale: SCALE, level });
      const [left, right] = [draw(), draw()];
      const results = property(left, right, random);
      for (const ciphertext of [left.ciphertext, right.ciphertext, ...results]) freeCiphertext(ciphertext);
    }),
    { numRuns },
  );
}

const check = (ciphertext: CkksCiphertext, expected: Omit<Tracked, "ciphertext">): CkksCiphertext => {
  const { length } = expected.slots.real;
  expectSlots(bench.decrypt(ciphertext, length), expected, { fraction: length / bench.encoder.slots });
  return ciphertext;
};

describe("slot arithmetic, with the error that noise formulas predict", () => {
  test("add, subtract, negate", () => {
    forAll((left, right) => {
      const [l, r] = [left.ciphertext, right.ciphertext];
      const variance = sumVariance(left, right);
      const zeros = minus(left.slots, left.slots);
      return [
        check(evaluator.add(l, r), { slots: plus(left.slots, right.slots), variance }),
        check(evaluator.subtract(l, r), { slots: minus(left.slots, right.slots), variance }),
        check(evaluator.negate(l), { slots: minus(zeros, left.slots), variance: left.variance }),
      ];
    });
  });

  test("addPlain, multiplyPlain", () => {
    forAll((left, _, random) => {
      const { level } = left.ciphertext;
      const addend = randomSlots(left.slots.real.length, random);
      const weights = randomSlots(left.slots.real.length, random);
      // Plaintexts of a higher level serve, too.
      const sum = bench.encode(addend, { scale: SCALE, level });
      const factor = bench.encode(weights, { scale: 2 ** 20 });
      const product = evaluator.multiplyPlain(left.ciphertext, factor);
      expect(product.scale).toBe(SCALE * 2 ** 20);
      return [
        check(evaluator.addPlain(left.ciphertext, sum), {
          slots: plus(left.slots, addend),
          variance: left.variance.map((variance) => variance + bench.encoding(SCALE)),
        }),
        check(product, {
          slots: times(left.slots, weights),
          variance: productVariance(left, rounded(bench, weights, 2 ** 20)),
        }),
      ];
    });
  });

  test("weightedSum is the sum of the products", () => {
    forAll((left, right, random) => {
      const { level } = left.ciphertext;
      const length = left.slots.real.length;
      const terms = [left, right, left].map((term) => ({ term, weights: randomSlots(length, random) }));
      const sum = evaluator.weightedSum(
        terms.map(({ term, weights }) => ({
          ciphertext: term.ciphertext,
          plaintext: bench.encode(weights, { scale: 2 ** 22, level }),
        })),
      );
      expect(sum.scale).toBe(SCALE * 2 ** 22);
      // The first and the last term share their error, so the weights of one ciphertext add up first.
      const [first, middle, last] = terms.map(({ weights }) => rounded(bench, weights, 2 ** 22)) as [
        Pick<Tracked, "slots" | "variance">,
        Pick<Tracked, "slots" | "variance">,
        Pick<Tracked, "slots" | "variance">,
      ];
      const both = {
        slots: plus(first.slots, last.slots),
        variance: first.variance.map((variance) => 2 * variance),
      };
      const parts = [productVariance(left, both), productVariance(right, middle)] as const;
      check(sum, {
        slots: plus(times(left.slots, both.slots), times(right.slots, middle.slots)),
        variance: parts[0].map((variance, i) => variance + parts[1][i]!),
      });
      return [sum];
    });
  });

  test("weightedSum takes more terms than one dot product may have", () => {
    const count = 600;
    const slots = randomSlots(512, fromSeed(600));
    const { ciphertext, variance } = bench.encrypt(slots, { scale: SCALE, level: 1 });
    const plaintext = bench.encoder.encodeConstant(1 / 1024, { scale: 1024, level: 1 });
    const sum = evaluator.weightedSum(new Array(count).fill({ ciphertext, plaintext }));
    const factor = { real: new Float64Array(512).fill(count / 1024), imaginary: new Float64Array(512) };
    check(sum, { slots: times(slots, factor), variance: variance.map((each) => each * (count / 1024) ** 2) });
  });

  test("multiply (three components), relinearize, rescale (two)", () => {
    forAll((left, right) => {
      const { level } = left.ciphertext;
      const slots = times(left.slots, right.slots);
      const variance = productVariance(left, right);
      const product = check(evaluator.multiply(left.ciphertext, right.ciphertext), { slots, variance });
      expect(product).toMatchObject({ level, scale: SCALE ** 2 });
      expect(product.components).toHaveLength(3);

      const switched = variance.map((each) => each + bench.switching(level, SCALE ** 2));
      const relinearized = check(evaluator.relinearize(product), { slots, variance: switched });
      expect(relinearized).toMatchObject({ level, scale: SCALE ** 2 });
      expect(relinearized.components).toHaveLength(2);

      const scale = SCALE ** 2 / prime(level);
      const rescaled = evaluator.rescale(relinearized);
      expect(rescaled).toMatchObject({ level: level - 1, scale });
      check(rescaled, { slots, variance: switched.map((each) => each + bench.rescaling(scale)) });
      return [product, relinearized, rescaled];
    });
  });

  test("a square is a product with itself", () => {
    forAll((left) => {
      const square = evaluator.multiply(left.ciphertext, left.ciphertext);
      // Both factors carry the same error: twice the slot times it.
      const variance = productVariance(left, left).map((each) => 2 * each);
      return [check(square, { slots: times(left.slots, left.slots), variance })];
    });
  });

  test("rescale divides the scale alone, dropLevel changes nothing but the level", () => {
    forAll((left) => {
      const { level } = left.ciphertext;
      const scale = SCALE / 2 ** 10;
      const plaintext = bench.encoder.encodeConstant(1, { scale: prime(level) / 2 ** 10, level });
      const product = evaluator.multiplyPlain(left.ciphertext, plaintext);
      // The constant is encoded as an integer, so it is a little off 1.
      const one = Math.round(prime(level) / 2 ** 10) / (prime(level) / 2 ** 10);
      const slots = times(
        left.slots,
        turned({ real: left.slots.real.map(() => one), imaginary: left.slots.real.map(() => 0) }, 0),
      );
      const rescaled = evaluator.rescale(product);
      expect(rescaled.scale).toBeCloseTo(scale, 6);
      check(rescaled, { slots, variance: left.variance.map((each) => each + bench.rescaling(scale)) });
      const dropped = Array.from({ length: level + 1 }, (_, target) => evaluator.dropLevel(left.ciphertext, target));
      for (const [target, each] of dropped.entries()) {
        expect(each).toMatchObject({ level: target, scale: SCALE });
        expect(each.components.map(({ basis }) => basis.length)).toEqual([target + 1, target + 1]);
        check(each, left);
      }
      return [product, rescaled, ...dropped];
    });
  });

  test("conjugate, and rotations: modulo s where the vector is sparse", () => {
    forAll((left) => {
      const { level } = left.ciphertext;
      const variance = left.variance.map((each) => each + bench.switching(level, SCALE));
      return [
        check(evaluator.conjugate(left.ciphertext), { slots: conjugated(left.slots), variance }),
        ...STEPS.map((steps) =>
          check(evaluator.rotate(left.ciphertext, steps), { slots: turned(left.slots, steps), variance }),
        ),
      ];
    });
  });

  test("operations of three components add up with those of two", () => {
    forAll((left, right) => {
      const product = evaluator.multiply(left.ciphertext, right.ciphertext);
      const plaintext = bench.encoder.encodeConstant(1, { scale: SCALE });
      const lifted = evaluator.multiplyPlain(left.ciphertext, plaintext);
      const slots = times(left.slots, right.slots);
      const variance = productVariance(left, right).map((each, i) => 2 * (each + left.variance[i]!));
      const loose = (ciphertext: CkksCiphertext, expected: Tracked["slots"]): CkksCiphertext => {
        // The two errors are correlated: only a bound.
        expectNear(bench.decrypt(ciphertext, expected.real.length), expected, variance);
        return ciphertext;
      };
      return [
        product,
        lifted,
        loose(evaluator.add(product, lifted), plus(slots, left.slots)),
        loose(evaluator.add(lifted, product), plus(slots, left.slots)),
        loose(evaluator.subtract(product, lifted), minus(slots, left.slots)),
        loose(evaluator.subtract(lifted, product), minus(left.slots, slots)),
      ];
    });
  });
});

type Step = {
  readonly op: "add" | "sub" | "neg" | "plain" | "weigh" | "multiply" | "rotate" | "conjugate";
  readonly seed: number;
};

/** One step of a random computation, in the clear and encrypted alike; the error's variance only as an upper bound. */
function advance(on: Bench, run: CkksEvaluator, { op, seed }: Step, state: Tracked): Tracked {
  const { ciphertext, slots, variance } = state;
  const { level, scale } = ciphertext;
  const operand = randomSlots(512, fromSeed(seed));
  const fresh = () => on.encrypt(operand, { scale, level });
  const rescaled = (product: CkksCiphertext, exact: Tracked["slots"], before: Float64Array): Tracked => {
    const result = run.rescale(product);
    return {
      ciphertext: result,
      slots: exact,
      variance: before.map((each) => each + on.rescaling(result.scale)),
    };
  };
  switch (op) {
    case "add":
    case "sub": {
      const other = fresh();
      const result = op === "add" ? run.add(ciphertext, other.ciphertext) : run.subtract(ciphertext, other.ciphertext);
      const exact = op === "add" ? plus(slots, operand) : minus(slots, operand);
      return { ciphertext: result, slots: exact, variance: sumVariance(state, other) };
    }
    case "neg":
      return { ciphertext: run.negate(ciphertext), slots: minus(minus(slots, slots), slots), variance };
    case "plain": {
      const result = run.addPlain(ciphertext, on.encode(operand, { scale, level }));
      return { ciphertext: result, slots: plus(slots, operand), variance: variance.map((v) => v + on.encoding(scale)) };
    }
    case "weigh": {
      if (level === 0) return state;
      // At this scale the rescaled product lands on the scale that the ciphertext has.
      const product = run.multiplyPlain(ciphertext, on.encode(operand, { scale: prime(level), level }));
      const error = productVariance(state, rounded(on, operand, prime(level)));
      return rescaled(product, times(slots, operand), error);
    }
    case "multiply": {
      if (level === 0) return state;
      const other = on.encrypt(operand, { scale: prime(level), level });
      const product = run.multiply(ciphertext, other.ciphertext);
      const error = productVariance(state, other).map((v) => v + on.switching(level, product.scale));
      return rescaled(run.relinearize(product), times(slots, operand), error);
    }
    case "rotate":
    case "conjugate": {
      const steps = STEPS[seed % STEPS.length]!;
      const result = op === "rotate" ? run.rotate(ciphertext, steps) : run.conjugate(ciphertext);
      const moved = turned({ real: variance, imaginary: variance }, op === "rotate" ? steps : 0).real;
      return {
        ciphertext: result,
        slots: op === "rotate" ? turned(slots, steps) : conjugated(slots),
        variance: moved.map((v) => v + on.switching(level, scale)),
      };
    }
  }
}

describe("random computations", () => {
  test("stay near the plain ones in every slot", () => {
    const operations = ["add", "sub", "neg", "plain", "weigh", "multiply", "rotate", "conjugate"] as const;
    const step = fc.record({ op: fc.constantFrom(...operations), seed: fc.nat() });
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { minLength: 1, maxLength: 12 }), (seed, program) => {
        let state = bench.encrypt(randomSlots(512, fromSeed(seed)), { scale: SCALE });
        for (const each of program) state = advance(bench, evaluator, each, state);
        expectNear(bench.decrypt(state.ciphertext), state.slots, state.variance);
      }),
      { numRuns: 30 },
    );
  });
});

describe("operands", () => {
  test("are left as they were by every operation", () => {
    const { ciphertext } = bench.encrypt(randomSlots(512, fromSeed(1)), { scale: SCALE });
    const before = bench.decrypt(ciphertext);
    const plaintext = bench.encode(randomSlots(512, fromSeed(2)), { scale: SCALE });
    const product = evaluator.multiply(ciphertext, ciphertext);
    const squared = bench.decrypt(product);
    evaluator.relinearize(product);
    evaluator.add(ciphertext, ciphertext);
    evaluator.subtract(ciphertext, ciphertext);
    evaluator.negate(ciphertext);
    evaluator.addPlain(ciphertext, plaintext);
    evaluator.multiplyPlain(ciphertext, plaintext);
    evaluator.weightedSum([{ ciphertext, plaintext }]);
    evaluator.rescale(product);
    evaluator.dropLevel(ciphertext, 0);
    evaluator.rotate(ciphertext, 1);
    evaluator.rotateHoisted(ciphertext, [1, 64]);
    evaluator.raised.rotate(ciphertext, [0, 1]);
    evaluator.conjugate(ciphertext);
    expect(bench.decrypt(ciphertext)).toEqual(before);
    expect(bench.decrypt(product)).toEqual(squared);
  });

  test("the system's randomness and a fixed one give the same values", () => {
    const slots = randomSlots(512, fromSeed(7));
    const other = createBench({ ...party, random: systemRandom });
    for (const each of [bench, other]) {
      const tracked = each.encrypt(slots, { scale: SCALE });
      expectSlots(each.decrypt(tracked.ciphertext), tracked);
    }
  });

  test("an evaluator needs the keys only of what it does", () => {
    const bare = createCkksEvaluator(context, { ...relinearizationOnly(party), relinearization: undefined });
    const tracked = bench.encrypt(randomSlots(512, fromSeed(8)), { scale: SCALE });
    const sum = bare.add(tracked.ciphertext, tracked.ciphertext);
    expectSlots(bench.decrypt(sum), {
      slots: plus(tracked.slots, tracked.slots),
      variance: tracked.variance.map((each) => 4 * each),
    });
  });
});
