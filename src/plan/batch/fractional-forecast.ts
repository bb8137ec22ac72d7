/**
 * What becomes of ciphertexts under a fractional plan, from parameters and weights alone: noise, which must leave a budget, and the
 * polynomials inside, whose coefficients must stay within the plain modulus and whose digits before and behind the point must not meet.
 */

import {
  type BfvParameters,
  createDigitSystem,
  createNoiseEstimator,
  FRACTIONAL_DIGITS,
  type NoiseEstimate,
} from "../../bfv/index.ts";
import { stageFractionDigits } from "./fractional-plan.ts";
import type { AffineStage, BatchStage, SumStage } from "./plan.ts";

/** The elements before a stage, or behind the last one. */
export interface FractionalState {
  /** By element. Equal noise is one object. */
  readonly noise: readonly NoiseEstimate[];
  /** No two elements were made from the same encryption. */
  readonly independent: boolean;
  /** Coefficients from X^(whole - 1) down to X^(-fraction) may differ from 0 … */
  readonly whole: number;
  readonly fraction: number;
  /** … and are no larger than this, their absolute values together no larger than that. */
  readonly largest: number;
  readonly sum: number;
  /** No element's absolute value is larger. */
  readonly magnitude: number;
}

export interface FractionalForecast {
  /** Fresh encryptions of numbers up to a magnitude, which may be infinite: then of whatever the encoder takes. */
  fresh(elements: number, magnitude: number): FractionalState;
  follow(state: FractionalState, stage: BatchStage): FractionalState;
  /** Least bits of noise budget over all elements; negative where decryption may be wrong. */
  margin(state: FractionalState): number;
  /** Why the encoder may not be able to read a decrypted element, or undefined where it always is. */
  overflow(state: FractionalState): string | undefined;
}

interface WeightDigits {
  /** Sum of the digits' squares, and of their absolute values. */
  readonly squares: number;
  readonly sum: number;
  readonly whole: number;
  readonly fraction: number;
}

/** A row's terms whose noise is the same, by what they multiply it with. */
interface Gains {
  squares: number;
  norms: number;
}

/**
 * @param base Of the encoder, which has its default numbers of digits.
 * @param encryption How inputs are encrypted.
 */
export function createFractionalForecast(
  parameters: Omit<BfvParameters, "security">,
  base: number,
  encryption: "public" | "symmetric",
): FractionalForecast {
  const { plainModulus, ringDegree } = parameters;
  const estimator = createNoiseEstimator(parameters);
  const { integerDigits, fractionDigits } = FRACTIONAL_DIGITS;
  const system = createDigitSystem({ plainModulus }, base, integerDigits);
  const highestDigit = Math.floor(base / 2);
  // As the encoder's: what it reads as digits before the point.
  const middle = integerDigits + Math.floor((ringDegree - integerDigits - fractionDigits) / 2);

  function digitsOf(weight: number, behindPoint: number): WeightDigits {
    const digits = system.digitsOf(BigInt(weight)) as Int32Array;
    const used = [...digits.keys()].filter((i) => digits[i] !== 0);
    if (used.length === 0) return { squares: 0, sum: 0, whole: 0, fraction: 0 };
    return {
      squares: digits.reduce((sum, digit) => sum + digit ** 2, 0),
      sum: digits.reduce((sum, digit) => sum + Math.abs(digit), 0),
      whole: used[used.length - 1] + 1 - behindPoint,
      fraction: behindPoint - used[0],
    };
  }

  /** Digits that numbers up to a magnitude have before the point at most. */
  function wholeDigits(magnitude: number): number {
    // Balanced digits reach half as far as those of one sign.
    const digits = base === 2 ? Math.log2(magnitude + 1) : Math.log(2 * magnitude + 2) / Math.log(base) + 1;
    return Math.min(integerDigits, Math.ceil(digits));
  }

  /** Weighted sums of elements. @param weightOf An entry's weight times base^behindPoint. */
  function sums(
    state: FractionalState,
    { rowStart, column }: AffineStage | SumStage,
    weightOf: (entry: number) => number,
    behindPoint: number,
  ): FractionalState {
    const { independent } = state;
    const digitsFor = remember((weight: number) => digitsOf(weight, behindPoint));
    const scaledBy = remember((noise: NoiseEstimate) =>
      remember((gain: number) => ({
        ...noise,
        spectrum: noise.spectrum.map((variance) => variance + Math.log2(gain)),
      })),
    );
    let [largestSum, largestWeights, whole, fraction] = [0, 0, 0, 0];
    const noise = Array.from({ length: rowStart.length - 1 }, (_, row) => {
      const groups = new Map<NoiseEstimate, Gains>();
      let [sum, weights] = [0, 0];
      for (let entry = rowStart[row]; entry < rowStart[row + 1]; entry++) {
        const digits = digitsFor(weightOf(entry));
        if (digits.squares === 0) continue;
        sum += digits.sum;
        weights += Math.abs(weightOf(entry));
        whole = Math.max(whole, digits.whole);
        fraction = Math.max(fraction, digits.fraction);
        const own = state.noise[column[entry]];
        const gains = groups.get(own) ?? { squares: 0, norms: 0 };
        gains.squares += digits.squares;
        gains.norms += Math.sqrt(digits.squares);
        groups.set(own, gains);
      }
      largestSum = Math.max(largestSum, sum);
      largestWeights = Math.max(largestWeights, weights);
      const terms = [...groups].map(([own, { squares, norms }]) => scaledBy(own)(independent ? squares : norms ** 2));
      if (terms.length === 0) return NOISELESS;
      return terms.length === 1 ? terms[0] : estimator.sum(terms, { independent });
    });
    return {
      noise,
      // Where all columns differ, no two rows share an element.
      independent: independent && new Set(column).size === column.length,
      whole: Math.max(state.whole + whole - 1, 0),
      fraction: state.fraction + fraction,
      largest: state.largest * largestSum,
      sum: state.sum * largestSum,
      magnitude: state.magnitude * (largestWeights / base ** behindPoint),
    };
  }

  function withBias(state: FractionalState, { bias }: AffineStage): FractionalState {
    if (bias.every((value) => value === 0)) return state;
    const magnitude = bias.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const whole = wholeDigits(magnitude);
    return {
      ...state,
      noise: state.noise.map(remember(estimator.addPlain)),
      whole: Math.max(state.whole, whole),
      fraction: Math.max(state.fraction, fractionDigits),
      largest: state.largest + highestDigit,
      sum: state.sum + highestDigit * (whole + fractionDigits),
      magnitude: state.magnitude + magnitude,
    };
  }

  return {
    fresh(elements, magnitude) {
      const whole = wholeDigits(magnitude);
      return {
        noise: new Array<NoiseEstimate>(elements).fill(estimator.fresh(encryption)),
        independent: true,
        whole,
        fraction: fractionDigits,
        largest: highestDigit,
        sum: highestDigit * (whole + fractionDigits),
        magnitude,
      };
    },
    follow(state, stage) {
      switch (stage.op) {
        case "affine": {
          const { weight } = stage;
          return withBias(
            sums(state, stage, (entry) => weight[entry], stageFractionDigits(stage, base)),
            stage,
          );
        }
        case "sum": {
          const behindPoint = stageFractionDigits(stage, base);
          const weight = Math.round(stage.weight * base ** behindPoint);
          return sums(state, stage, () => weight, behindPoint);
        }
        case "square": {
          const { whole, fraction, largest, sum, magnitude } = state;
          return {
            ...state,
            noise: state.noise.map(remember((noise) => estimator.multiply(noise, noise))),
            whole: 2 * whole - 1,
            fraction: 2 * fraction,
            largest: largest * sum,
            sum: sum ** 2,
            magnitude: magnitude ** 2,
          };
        }
        case "relinearize":
          return { ...state, noise: state.noise.map(remember(estimator.relinearize)) };
        default:
          return state;
      }
    },
    margin: ({ noise }) => Math.min(...[...new Set(noise)].map(estimator.margin)),
    overflow({ whole, fraction, largest }) {
      if (2 * largest >= plainModulus) {
        return `coefficients may reach ${largest.toPrecision(3)}, p = ${plainModulus} holds ${Math.ceil(plainModulus / 2) - 1}`;
      }
      if (whole > middle || fraction > ringDegree - middle) {
        return `${whole} digits before the point and ${fraction} behind it may meet, m = ${ringDegree} holds ${middle} and ${ringDegree - middle}`;
      }
      return undefined;
    },
  };
}

/** Of a constant: encryptions of 0 that are made up, and what is added to them. */
const NOISELESS: NoiseEstimate = { level: 0, components: 2, spectrum: [Number.NEGATIVE_INFINITY] };

/** The same result, and the same object, for the same argument. */
function remember<A, R>(work: (argument: A) => R): (argument: A) => R {
  const known = new Map<A, R>();
  return (argument) => {
    if (known.has(argument)) return known.get(argument) as R;
    const result = work(argument);
    known.set(argument, result);
    return result;
  };
}
