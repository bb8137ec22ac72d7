/** Every operation with what it does to slots modulo t and what the static estimate makes of its noise: the property tests' table. */

import { expect } from "vitest";
import type { BfvCiphertext, NoiseEstimate } from "../../src/bfv/index.ts";
import type { RandomSource } from "../../src/math/index.ts";
import { noiseBudget } from "../../src/owner/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";
import { exchangeRows, ROW_STEPS, randomResidues, type SlotParty, turnRows, zipSlots } from "./support.ts";

interface Operands {
  readonly party: SlotParty;
  readonly cx: BfvCiphertext<"ntt">;
  readonly cy: BfvCiphertext<"ntt">;
  readonly x: Int32Array;
  readonly y: Int32Array;
  /** Their noise. */
  readonly ex: NoiseEstimate;
  readonly ey: NoiseEstimate;
  readonly random: RandomSource;
}

interface Outcome {
  readonly result: BfvCiphertext;
  readonly slots: Int32Array;
  readonly estimate: NoiseEstimate;
}

type Operation = (operands: Operands) => Outcome;

const pick = <T>(choices: readonly T[], random: RandomSource): T =>
  choices[randomIntegers(1, choices.length, random)[0]!]!;

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "public-key encryption": ({ cx, x, ex }) => ({ result: cx, slots: x, estimate: ex }),
  "symmetric encryption": ({ cy, y, ey }) => ({ result: cy, slots: y, estimate: ey }),
  add: ({ party, cx, cy, x, y, ex, ey }) => ({
    result: party.evaluator.add(cx, cy),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a + b),
    estimate: party.noise.add(ex, ey),
  }),
  "add to itself": ({ party, cx, x, ex }) => ({
    result: party.evaluator.add(cx, cx),
    slots: zipSlots(party.context.plainModulus, x, x, (a, b) => a + b),
    estimate: party.noise.add(ex, ex),
  }),
  subtract: ({ party, cx, cy, x, y, ex, ey }) => ({
    result: party.evaluator.subtract(cx, cy),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a - b),
    estimate: party.noise.add(ex, ey),
  }),
  negate: ({ party, cx, x, ex }) => ({
    result: party.evaluator.negate(cx),
    slots: zipSlots(party.context.plainModulus, x, x, (a) => -a),
    estimate: ex,
  }),
  addPlain: ({ party, cx, x, y, ex }) => ({
    result: party.evaluator.addPlain(cx, party.encoder.encode(y)),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a + b),
    estimate: party.noise.addPlain(ex),
  }),
  subtractPlain: ({ party, cx, x, y, ex }) => ({
    result: party.evaluator.subtractPlain(cx, party.encoder.encode(y)),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a - b),
    estimate: party.noise.addPlain(ex),
  }),
  multiplyPlain: ({ party, cx, x, y, ex }) => ({
    result: party.evaluator.multiplyPlain(cx, party.encoder.encode(y)),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a * b),
    estimate: party.noise.multiplyPlain(ex, party.encoder.encode(y)),
  }),
  "multiplyPlain by something unknown": ({ party, cx, x, y, ex }) => {
    const factor = party.evaluator.prepareFactor(party.encoder.encode(y));
    const result = party.evaluator.multiplyPlain(cx, factor);
    factor.polynomial.block.free();
    return {
      result,
      slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a * b),
      estimate: party.noise.multiplyPlain(ex),
    };
  },
  multiplyInteger: ({ party, cx, x, ex, random }) => {
    const { plainModulus } = party.context;
    const value = pick([1, -1, 2, -3, plainModulus - 1, 1234567, -(2 ** 40)], random);
    const residue = ((value % plainModulus) + plainModulus) % plainModulus;
    return {
      result: party.evaluator.multiplyInteger(cx, value),
      slots: zipSlots(plainModulus, x, x, (a) => a * residue),
      estimate: party.noise.multiplyInteger(ex, value),
    };
  },
  weightedSum: ({ party, cx, cy, x, y, ex, ey, random }) => {
    const { plainModulus } = party.context;
    const [v, w] = [randomIntegers(1, 100, random)[0]!, -randomIntegers(1, 100, random)[0]!];
    return {
      result: party.evaluator.weightedSum([
        { ciphertext: cx, weight: v },
        { ciphertext: cy, weight: w },
        { ciphertext: cx, weight: 7 },
      ]),
      slots: zipSlots(plainModulus, x, y, (a, b) => (v + 7) * a + w * b),
      estimate: party.noise.add(party.noise.multiplyInteger(ex, v + 7), party.noise.multiplyInteger(ey, w)),
    };
  },
  weightedSumPlain: ({ party, cx, cy, x, y, ex, ey }) => {
    const { evaluator, encoder, noise, context } = party;
    const [px, py] = [encoder.encode(x), encoder.encode(y)];
    const [fx, fy] = [evaluator.prepareFactor(px), evaluator.prepareFactor(py)];
    const result = evaluator.weightedSumPlain([
      { ciphertext: cx, factor: fx },
      { ciphertext: cy, factor: fy },
    ]);
    for (const { polynomial } of [fx, fy]) polynomial.block.free();
    return {
      result,
      slots: zipSlots(context.plainModulus, x, y, (a, b) => a * a + b * b),
      estimate: noise.add(noise.multiplyPlain(ex, px), noise.multiplyPlain(ey, py)),
    };
  },
  multiply: ({ party, cx, cy, x, y, ex, ey }) => ({
    result: party.evaluator.multiply(cx, cy),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a * b),
    estimate: party.noise.multiply(ex, ey),
  }),
  square: ({ party, cx, x, ex }) => ({
    result: party.evaluator.square(cx),
    slots: zipSlots(party.context.plainModulus, x, x, (a, b) => a * b),
    estimate: party.noise.multiply(ex, ex),
  }),
  relinearize: ({ party, cx, cy, x, y, ex, ey }) => ({
    result: party.evaluator.multiplyRelinearize(cx, cy),
    slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a * b),
    estimate: party.noise.relinearize(party.noise.multiply(ex, ey)),
  }),
  "relinearize a sum of products": ({ party, cx, cy, x, y, ex, ey }) => {
    const { evaluator, noise, context } = party;
    const [product, square] = [evaluator.multiply(cx, cy), evaluator.square(cx)];
    const sum = evaluator.add(product, square);
    const result = evaluator.relinearize(sum);
    for (const each of [product, square, sum]) freeCiphertext(each);
    return {
      result,
      slots: zipSlots(context.plainModulus, x, y, (a, b) => a * ((a + b) % context.plainModulus)),
      estimate: noise.relinearize(noise.add(noise.multiply(ex, ey), noise.multiply(ex, ex))),
    };
  },
  rotateRows: ({ party, cx, x, ex, random }) => {
    const steps = pick(ROW_STEPS, random);
    return {
      result: party.evaluator.rotateRows(cx, steps),
      slots: turnRows(x, steps),
      estimate: party.noise.rotate(ex),
    };
  },
  "rotateRows, hoisted": ({ party, cx, x, ex, random }) => {
    const last = pick(ROW_STEPS, random);
    const [first, result] = party.evaluator.rotateRowsHoisted(cx, [1, last]);
    freeCiphertext(first!);
    return { result: result!, slots: turnRows(x, last), estimate: party.noise.rotate(ex) };
  },
  rotateColumns: ({ party, cx, x, ex }) => ({
    result: party.evaluator.rotateColumns(cx),
    slots: exchangeRows(x),
    estimate: party.noise.rotate(ex),
  }),
  switchModulus: ({ party, cx, x, ex }) => ({
    result: party.evaluator.switchModulus(cx),
    slots: x,
    estimate: party.noise.switchModulus(ex),
  }),
  "switchModulus of three components": ({ party, cx, cy, x, y, ex, ey }) => {
    const product = party.evaluator.multiply(cx, cy);
    const ntt = party.evaluator.toNtt(product);
    const result = party.evaluator.switchModulus(ntt);
    for (const each of [product, ntt]) freeCiphertext(each);
    return {
      result,
      slots: zipSlots(party.context.plainModulus, x, y, (a, b) => a * b),
      estimate: party.noise.switchModulus(party.noise.multiply(ex, ey)),
    };
  },
  "products of three components": ({ party, cx, cy, x, y, ex, ey }) => {
    const product = party.evaluator.multiply(cx, cy);
    const result = party.evaluator.multiply(product, cx);
    freeCiphertext(product);
    const t = party.context.plainModulus;
    return {
      result,
      slots: zipSlots(
        t,
        zipSlots(t, x, y, (a, b) => a * b),
        x,
        (a, b) => a * b,
      ),
      estimate: party.noise.multiply(party.noise.multiply(ex, ey), ex),
    };
  },
  "a square of a relinearized square": ({ party, cx, x, ex }) => {
    const { evaluator, noise, context } = party;
    const square = evaluator.multiplyRelinearize(cx, cx);
    const result = evaluator.multiplyRelinearize(square, square);
    freeCiphertext(square);
    const t = context.plainModulus;
    const squares = zipSlots(t, x, x, (a, b) => a * b);
    const once = noise.relinearize(noise.multiply(ex, ex));
    return {
      result,
      slots: zipSlots(t, squares, squares, (a, b) => a * b),
      estimate: noise.relinearize(noise.multiply(once, once)),
    };
  },
};

/** An estimate may lie below the measured budget by at most this. */
export const LARGEST_GAP_BITS = 6;

/**
 * Runs an operation on random slots and holds the result against plain arithmetic, and, where wanted, its measured noise budget against
 * the static estimate from both sides. Gives all memory back.
 */
export function checkOperation(party: SlotParty, name: string, seed: number, measureNoise: boolean): void {
  const random = seededRandom(seed);
  const [x, y] = [randomResidues(party, random), randomResidues(party, random)];
  const cx = party.encryptSlots(x);
  const cy = party.encrypt(party.encoder.encode(y).coefficients);
  const { noise } = party;
  const { result, slots, estimate } = OPERATIONS[name]!({
    party,
    cx,
    cy,
    x,
    y,
    ex: noise.fresh("public"),
    ey: noise.fresh("symmetric"),
    random,
  });
  const decrypted = party.decryptSlots(result);
  // The matcher takes longer than all of the encryption; it is there to show a difference.
  if (slots.some((value, i) => value !== decrypted[i])) expect(decrypted, name).toEqual(slots);
  if (measureNoise) {
    const measured = noiseBudget(party.secret, result);
    const predicted = noise.budget(estimate);
    expect(measured, `${name}: measured below the estimate`).toBeGreaterThanOrEqual(predicted);
    expect(measured - predicted, `${name}: measured above the estimate`).toBeLessThan(LARGEST_GAP_BITS);
  }
  for (const each of new Set([cx, cy, result])) freeCiphertext(each);
}
