/**
 * How much noise budget operations leave, from parameters alone: no key, no measurement.
 *
 * A ciphertext's noise e (c_0 + c_1 s + … = (Q/t) m + e modulo Q) is modelled by the variance of its coefficients. Much of it is a multiple
 * of a power of s: products multiply noise by c_0 + c_1 s, divisions leave rounding errors times 1, s, s^2. Values |s(z)|^2 at the roots z of
 * X^N + 1 are distributed exponentially, so the mean of |s|^(2j) is j! times the j-th power of its mean 2N/3: variances are kept apart by j,
 * or products of products would be off by bits.
 *
 * Sums count as if their operands were the same, unless the caller knows better, so an estimate is from below.
 */

import { ERROR_VARIANCE, TERNARY_VARIANCE } from "../math/index.ts";
import { modulusBits } from "../rlwe/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";
import { toCentred } from "./digits.ts";
import { addLog, convolveLog, sumLog } from "./log-spectrum.ts";
import type { BfvParameters } from "./parameters.ts";
import { OVER_Q_MARGIN_BITS } from "./product-maps.ts";

/** Noise of a ciphertext. */
export interface NoiseEstimate {
  readonly level: number;
  /** Components of the ciphertext. */
  readonly components: number;
  /** log2 of the variance of coefficients that goes with |s|^(2j), divided by j!, by j. */
  readonly spectrum: readonly number[];
}

export interface NoiseEstimator {
  /** A fresh encryption at a level, the top one by default. */
  fresh(kind: "public" | "symmetric", level?: number): NoiseEstimate;
  /** Sum or difference. */
  add(left: NoiseEstimate, right: NoiseEstimate): NoiseEstimate;
  /** Sum of several; smaller where their noises are `independent`, as those of different fresh encryptions are. */
  sum(terms: readonly NoiseEstimate[], options?: { readonly independent?: boolean }): NoiseEstimate;
  /** Sum or difference with a plaintext. */
  addPlain(noise: NoiseEstimate): NoiseEstimate;
  /** Product with a plaintext; with any plaintext there is where none is given. */
  multiplyPlain(noise: NoiseEstimate, plaintext?: BfvPlaintext): NoiseEstimate;
  multiplyInteger(noise: NoiseEstimate, value: number): NoiseEstimate;
  multiply(left: NoiseEstimate, right: NoiseEstimate): NoiseEstimate;
  /** Three components to two. */
  relinearize(noise: NoiseEstimate): NoiseEstimate;
  /** Rotation of rows or columns. */
  rotate(noise: NoiseEstimate): NoiseEstimate;
  switchModulus(noise: NoiseEstimate): NoiseEstimate;
  /** Bits of noise budget that are left at least; 0 where decryption may be wrong. */
  budget(noise: NoiseEstimate): number;
  /** The same without its floor: negative by as many bits as are missing. */
  margin(noise: NoiseEstimate): number;
}

/**
 * log2 of the largest coefficient that is reckoned with, in deviations. Of N <= 2^16 Gaussian values one is above 8 in 10^10 cases.
 */
const TAIL_BITS = 3;
/** What the tail grows by with each power of s: its values at a few roots then carry much of the noise. */
const TAIL_BITS_OF_POWER = 0.25;
/** A rounding error's variance. */
const ROUNDING = Math.log2(1 / 12);

/** @param parameters As for `createBfvContext`; they are not checked. */
export function createNoiseEstimator(parameters: Omit<BfvParameters, "security">): NoiseEstimator {
  const { ringDegree, dataPrimes, specialPrimes, plainModulus } = parameters;
  const alpha = specialPrimes.length;
  const { digitPrimes = alpha } = parameters;
  const degreeBits = Math.log2(ringDegree);
  const secret = Math.log2(TERNARY_VARIANCE * ringDegree);
  const error = Math.log2(ERROR_VARIANCE);
  const plainBits = Math.log2(plainModulus);
  const maxLevel = dataPrimes.length - 1;

  /** Errors of one rounding in each component: 1, s, s^2, …; with another variance, ciphertexts that are uniform modulo Q, divided by Q. */
  const roundings = (components: number): number[] =>
    Array.from({ length: components }, (_, j) => ROUNDING + j * secret);
  const scaled = (spectrum: readonly number[], bits: number): number[] => spectrum.map((variance) => variance + bits);
  /** Variances of independent parts. */
  const plus = (left: readonly number[], right: readonly number[]): number[] =>
    Array.from({ length: Math.max(left.length, right.length) }, (_, j) =>
      addLog(left[j] ?? Number.NEGATIVE_INFINITY, right[j] ?? Number.NEGATIVE_INFINITY),
    );
  /** The square of the sum of deviations: what a sum has at most, whatever its parts have in common. */
  const worst = (left: readonly number[], right: readonly number[]): number[] =>
    Array.from(
      { length: Math.max(left.length, right.length) },
      (_, j) => 2 * addLog((left[j] ?? Number.NEGATIVE_INFINITY) / 2, (right[j] ?? Number.NEGATIVE_INFINITY) / 2),
    );

  function keySwitching(level: number): number[] {
    const specialBits = modulusBits(specialPrimes);
    const digits: number[] = [];
    for (let start = 0; start <= level; start += digitPrimes) {
      const width = modulusBits(dataPrimes.slice(start, Math.min(start + digitPrimes, level + 1)));
      digits.push(degreeBits + error + ROUNDING + 2 * (width - specialBits));
    }
    return plus([sumLog(digits)], roundings(2));
  }

  const estimator: NoiseEstimator = {
    fresh(kind, level = maxLevel) {
      const rounding = [ROUNDING];
      if (kind === "symmetric") return { level, components: 2, spectrum: plus([error], rounding) };
      // u e + e_0 + e_1 s, divided by P with a rounding in both components.
      const products = plus([addLog(secret + error, error)], [Number.NEGATIVE_INFINITY, secret + error]);
      const divided = alpha > 0 ? plus(scaled(products, -2 * modulusBits(specialPrimes)), roundings(2)) : products;
      return { level, components: 2, spectrum: plus(divided, rounding) };
    },
    add: (left, right) => ({
      level: left.level,
      components: Math.max(left.components, right.components),
      spectrum: worst(left.spectrum, right.spectrum),
    }),
    sum(terms, { independent = false } = {}) {
      const [first, ...others] = terms;
      if (!first) throw new RangeError("sum needs at least one term");
      const combine = independent ? plus : worst;
      return others.reduce<NoiseEstimate>(
        (total, { components, spectrum }) => ({
          level: total.level,
          components: Math.max(total.components, components),
          spectrum: combine(total.spectrum, spectrum),
        }),
        first,
      );
    },
    addPlain: (noise) => ({ ...noise, spectrum: worst(noise.spectrum, [ROUNDING]) }),
    multiplyPlain(noise, plaintext) {
      const square = plaintext
        ? plaintext.coefficients.reduce((sum, coefficient) => sum + toCentred(coefficient, plainModulus) ** 2, 0)
        : ringDegree * (plainModulus / 2) ** 2;
      return { ...noise, spectrum: scaled(noise.spectrum, Math.log2(square)) };
    },
    multiplyInteger(noise, value) {
      const residue = ((value % plainModulus) + plainModulus) % plainModulus;
      return { ...noise, spectrum: scaled(noise.spectrum, 2 * Math.log2(Math.abs(toCentred(residue, plainModulus)))) };
    },
    multiply(left, right) {
      // t (e_1 c_2(s)/Q + e_2 c_1(s)/Q), where a ciphertext divided by Q is uniform in each component; then the rounding of the result, and,
      // in one variant, that of an operand, which is 2^OVER_Q_MARGIN_BITS times smaller than a rounding.
      const gain = 2 * plainBits + degreeBits;
      const operand = worst(
        convolveLog(left.spectrum, roundings(right.components)),
        convolveLog(right.spectrum, roundings(left.components)),
      );
      const rounded = scaled(
        convolveLog(roundings(left.components), roundings(right.components)),
        -2 * OVER_Q_MARGIN_BITS,
      );
      const components = left.components + right.components - 1;
      return {
        level: left.level,
        components,
        spectrum: plus(scaled(plus(operand, rounded), gain), roundings(components)),
      };
    },
    relinearize: (noise) => ({ ...noise, components: 2, spectrum: plus(noise.spectrum, keySwitching(noise.level)) }),
    rotate: (noise) => ({ ...noise, spectrum: plus(noise.spectrum, keySwitching(noise.level)) }),
    switchModulus: ({ level, components, spectrum }) => ({
      level: level - 1,
      components,
      spectrum: plus(scaled(spectrum, -2 * Math.log2(dataPrimes[level]!)), roundings(components)),
    }),
    budget: (noise) => Math.max(0, estimator.margin(noise)),
    margin({ level, spectrum }) {
      let factorial = 0;
      const variance = sumLog(
        spectrum.map((each, j) => {
          factorial += j > 1 ? Math.log2(j) : 0;
          return each + factorial;
        }),
      );
      const tail = TAIL_BITS + TAIL_BITS_OF_POWER * (spectrum.length - 1);
      const whole = modulusBits(dataPrimes.slice(0, level + 1)) - 1;
      // A noise of 0 leaves the whole modulus, and not more.
      return Math.min(whole, whole - plainBits - variance / 2 - tail);
    },
  };
  return estimator;
}
