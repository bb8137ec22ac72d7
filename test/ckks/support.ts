/** Ciphertexts that carry along the slots they should hold, and the variance of the error that is to be expected in each. */

import { expect } from "vitest";
import {
  type CkksCiphertext,
  createEncoder,
  type EncodeOptions,
  type Encoder,
  type Plaintext,
  type SlotVector,
} from "../../src/ckks/index.ts";
import { ERROR_VARIANCE, type RandomSource } from "../../src/math/index.ts";
import { decryptPhase, encryptSymmetric, generateGaloisKey, type SecretKey } from "../../src/owner/index.ts";
import {
  conjugationElement,
  type EvaluationKeys,
  type KeySwitchingKey,
  type RlweContext,
  rotationElement,
} from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";
import { expectWithin, keySwitchVariance, type Party, relinearizationOnly, roundingVariance } from "../helpers/rlwe.ts";

/** Complex slots, modulo nothing: what CKKS approximates. */
export type Slots = SlotVector;

export const mapSlots = (length: number, at: (i: number) => readonly [number, number]): Slots => {
  const real = new Float64Array(length);
  const imaginary = new Float64Array(length);
  for (let i = 0; i < length; i++) [real[i], imaginary[i]] = at(i);
  return { real, imaginary };
};

export const plus = (l: Slots, r: Slots): Slots =>
  mapSlots(l.real.length, (i) => [l.real[i]! + r.real[i]!, l.imaginary[i]! + r.imaginary[i]!]);

export const minus = (l: Slots, r: Slots): Slots =>
  mapSlots(l.real.length, (i) => [l.real[i]! - r.real[i]!, l.imaginary[i]! - r.imaginary[i]!]);

export const times = (l: Slots, r: Slots): Slots =>
  mapSlots(l.real.length, (i) => [
    l.real[i]! * r.real[i]! - l.imaginary[i]! * r.imaginary[i]!,
    l.real[i]! * r.imaginary[i]! + l.imaginary[i]! * r.real[i]!,
  ]);

/** Slot t takes the value of slot t + steps. */
export const turned = ({ real, imaginary }: Slots, steps: number): Slots => {
  const { length } = real;
  const from = (t: number): number => (((t + steps) % length) + length) % length;
  return mapSlots(length, (t) => [real[from(t)]!, imaginary[from(t)]!]);
};

export const conjugated = ({ real, imaginary }: Slots): Slots => ({ real, imaginary: imaginary.map((part) => -part) });

/** Uniform in the square from -1 - i to 1 + i, or in [-1, 1]. */
export function randomSlots(length: number, random: RandomSource, kind: "real" | "complex" = "complex"): Slots {
  const words = new Int32Array(2 * length);
  random(new Uint8Array(words.buffer));
  return mapSlots(length, (i) => [words[2 * i]! / 2 ** 31, kind === "real" ? 0 : words[2 * i + 1]! / 2 ** 31]);
}

export interface Tracked {
  readonly ciphertext: CkksCiphertext;
  readonly slots: Slots;
  /** Expected square of each slot's error, which is complex. */
  readonly variance: Float64Array;
}

const squares = ({ real, imaginary }: Slots): Float64Array => real.map((part, i) => part ** 2 + imaginary[i]! ** 2);

/** Encrypts, decrypts, and predicts errors for one key. */
export interface Bench {
  readonly encoder: Encoder;
  encode(slots: Slots, options: EncodeOptions): Plaintext;
  encrypt(slots: Slots, options: EncodeOptions): Tracked;
  decrypt(ciphertext: CkksCiphertext, slots?: number): Slots;
  /** Variance in a slot from a variance in each coefficient. */
  inSlots(coefficientVariance: number, scale: number): number;
  /** What encoding at this scale rounds away. */
  encoding(scale: number): number;
  /** What a rescale to this scale adds. */
  rescaling(scale: number): number;
  /** What a key switch at this level adds. */
  switching(level: number, scale: number): number;
}

export function createBench({
  context,
  secret,
  random,
}: {
  context: RlweContext;
  secret: SecretKey;
  random: RandomSource;
}): Bench {
  const { degree } = context.ring;
  const encoder = createEncoder(context);
  const bench: Bench = {
    encoder,
    encode: (slots, options) => encoder.encode(slots, options),
    encrypt(slots, options) {
      const plaintext = bench.encode(slots, options);
      const ciphertext = encryptSymmetric(secret, plaintext, random);
      plaintext.polynomial.block.free();
      const fresh = bench.inSlots(ERROR_VARIANCE, options.scale) + bench.encoding(options.scale);
      return { ciphertext, slots, variance: slots.real.map(() => fresh) };
    },
    decrypt(ciphertext, slots) {
      const phase = decryptPhase(secret, ciphertext);
      const decoded = encoder.decode(phase, ciphertext.scale, slots);
      phase.block.free();
      return decoded;
    },
    inSlots: (coefficientVariance, scale) => (degree * coefficientVariance) / scale ** 2,
    encoding: (scale) => bench.inSlots(1 / 12, scale),
    rescaling: (scale) => bench.inSlots(roundingVariance(degree), scale),
    switching: (level, scale) => bench.inSlots(keySwitchVariance(context, level), scale),
  };
  return bench;
}

/** Variance of a sum or difference. */
export const sumVariance = (left: Tracked, right: Tracked): Float64Array =>
  left.variance.map((variance, i) => variance + right.variance[i]!);

/** Variance of a product of two independent values, each with its error. */
export function productVariance(
  left: Pick<Tracked, "slots" | "variance">,
  right: Pick<Tracked, "slots" | "variance">,
): Float64Array {
  const [leftSquares, rightSquares] = [squares(left.slots), squares(right.slots)];
  return left.variance.map(
    (variance, i) => variance * rightSquares[i]! + right.variance[i]! * leftSquares[i]! + variance * right.variance[i]!,
  );
}

/** A plaintext's slots with the error of its rounding. */
export const rounded = (bench: Bench, slots: Slots, scale: number): Pick<Tracked, "slots" | "variance"> => ({
  slots,
  variance: slots.real.map(() => bench.encoding(scale)),
});

/**
 * No slot may be this many times its deviation off. A key switch's error is, in a slot, a sum of products of a digit's and an error's
 * value, which are both Gaussian: large values are as rare as e^(-2 x) and not as e^(-x^2).
 */
const FARTHEST = 16;

/** Throws where a slot is off by more than chance explains. */
export function expectNear(actual: Slots, slots: Slots, variance: Float64Array): void {
  expect(actual.real).toHaveLength(slots.real.length);
  squares(minus(actual, slots)).forEach((square, i) => {
    const [error, deviation] = [Math.sqrt(square), Math.sqrt(variance[i]!)];
    if (!(error < FARTHEST * deviation)) throw new Error(`slot ${i} is off by ${error}, expected about ${deviation}`);
  });
}

/**
 * Holds decrypted slots against plain ones: the error's root mean square from both sides, each slot's from above.
 *
 * @param fraction The part of a ciphertext's slots that was decoded: a sparse vector's error is the mean of those of its copies.
 */
export function expectSlots(
  actual: Slots,
  { slots, variance }: Omit<Tracked, "ciphertext">,
  { tolerance = 0.35, fraction = 1 } = {},
): void {
  expectNear(actual, slots, variance);
  const total = (each: Float64Array): number => each.reduce((sum, one) => sum + one, 0);
  const measured = Math.sqrt(total(squares(minus(actual, slots))));
  expectWithin(measured, Math.sqrt(fraction * total(variance)), tolerance);
}

/** Evaluation keys for relinearization, these rotations, and conjugation, at the top level. */
export function keysFor(party: Party, steps: readonly number[]): EvaluationKeys {
  const { context, secret, random } = party;
  const { degree } = context.ring;
  const elements = [...steps.map((step) => rotationElement(degree, step)), conjugationElement(degree)];
  const galois = new Map<number, KeySwitchingKey>();
  for (const element of elements) {
    if (!galois.has(element)) galois.set(element, generateGaloisKey(secret, element, context.maxLevel, random));
  }
  return { ...relinearizationOnly(party), galois };
}

/** Randomness for a property's case. */
export const fromSeed = (seed: number): RandomSource => seededRandom(seed);
