/**
 * Bits of inputs and weights of an integer network: as few as the wanted error takes. A bit of a map counts once for every time that its values are
 * multiplied with themselves on the way to the outputs, m = 2^squares, so what is to be small is the sum of m b: maps in front get fewer bits.
 */

import {
  type BatchDraft,
  type BatchPlan,
  type BatchStatistics,
  batchOutputs,
  integerPlan,
  MAX_WEIGHT_BITS,
  MIN_WEIGHT_BITS,
  PROBE_BITS,
  quantizeValue,
  runBatchClear,
  type Tensor,
} from "../../../plan/index.ts";
import { type InputRange, sequence } from "../../calibration.ts";

/** A stretch of a network with what calibration says of it, and what its inputs are held to. */
export interface IntegerStretch {
  readonly draft: BatchDraft;
  readonly statistics: BatchStatistics;
  readonly calibration: readonly Tensor[];
  readonly range: InputRange;
}

/** A plan without its divisions. */
export interface IntegerNumbers {
  readonly plan: BatchPlan;
  readonly inputScale: number;
  /** Largest error of an output over the calibration inputs, relative to the typical largest one. */
  readonly relativeError: number;
}

/** Of these, bytes are exact: one fewer is no bargain. */
const BYTE_BITS = 8;
/** Bits of an input's absolute value. */
const INPUT_BITS = { least: 1, most: 16 };
/** Aims at the wanted error, each nearer to it. */
const ATTEMPTS = 8;
/** Images unlike the calibration inputs meet larger errors, up to about this factor. */
const SUFFICIENT = 2;

/**
 * Chooses bits, and makes the plan.
 *
 * @param weightBits Fixes the bits of all weights; their error is accepted.
 * @returns Numbers of the wanted precision, or the best there are.
 */
export function chooseIntegerNumbers(
  stretch: IntegerStretch,
  precision: number,
  weightBits: number | undefined,
): IntegerNumbers {
  const inputError = probeInputs(stretch);
  const wanted = precision / SUFFICIENT;
  if (weightBits !== undefined) {
    const { draft, statistics } = stretch;
    const largest = Math.max(...statistics.weightError) * 2 ** (PROBE_BITS - weightBits);
    return quantize(
      stretch,
      bitsFor(inputError, largest, INPUT_BITS),
      draft.spans.map(() => weightBits),
    );
  }
  let best: IntegerNumbers | undefined;
  let aim = wanted * stretch.statistics.typicalOutput;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { input, weights } = shareBits(stretch, inputError, aim);
    const numbers = quantize(stretch, input, weights);
    if (!best || numbers.relativeError < best.relativeError) best = numbers;
    if (numbers.relativeError <= wanted) return numbers;
    aim *= Math.max(0.5, Math.min(0.95, wanted / numbers.relativeError));
  }
  return best as IntegerNumbers;
}

/** One thing that is rounded: how often its scale enters the outputs', and the error of an output with {@link PROBE_BITS} bits. */
interface Rounded {
  readonly multiplicity: number;
  readonly error: number;
  readonly least: number;
  readonly most: number;
}

function shareBits(
  { draft: { spans }, statistics }: IntegerStretch,
  inputError: number,
  aim: number,
): { input: number; weights: number[] } {
  const squaresFrom = (i: number): number => spans.slice(i).filter(({ square }) => square).length;
  const rounded: Rounded[] = [
    { multiplicity: 2 ** squaresFrom(0), error: inputError, ...INPUT_BITS },
    ...spans.map((_, i) => ({
      multiplicity: 2 ** squaresFrom(i),
      error: statistics.weightError[i],
      least: MIN_WEIGHT_BITS,
      most: MAX_WEIGHT_BITS,
    })),
  ];
  // What does no harm when it is rounded takes the fewest bits.
  const open = rounded.map(({ error, least }) => (error > 0 ? undefined : least));
  const [wanted] = share(rounded, open, aim);
  const whole = Math.ceil(wanted);
  const input = whole === BYTE_BITS - 1 ? BYTE_BITS : whole;
  const [, ...weights] = share(rounded, open.with(0, input), aim);
  return { input, weights };
}

/**
 * Errors add up like independent ones, and halve with each bit; the sum of m b is least where everybody's variance is a share m of the whole
 * (Lagrange). What would leave its limits stays at them.
 *
 * @param fixed By what is rounded: its bits, where they are given.
 */
function share(rounded: readonly Rounded[], fixed: readonly (number | undefined)[], aim: number): number[] {
  const bits = [...fixed];
  const errorAt = ({ error }: Rounded, own: number): number => error * 2 ** (PROBE_BITS - own);
  for (;;) {
    const spent = rounded.reduce((sum, each, i) => sum + (bits[i] === undefined ? 0 : errorAt(each, bits[i]) ** 2), 0);
    // Others still get something where one takes it all.
    const left = Math.max(aim ** 2 / 4, aim ** 2 - spent);
    const total = rounded.reduce((sum, { multiplicity }, i) => sum + (bits[i] === undefined ? multiplicity : 0), 0);
    const wanted = rounded.map(
      ({ multiplicity, error }) => PROBE_BITS + Math.log2(error / Math.sqrt((left * multiplicity) / total)),
    );
    const limited = rounded.findIndex(
      ({ least, most }, i) => bits[i] === undefined && !(wanted[i] >= least && wanted[i] <= most),
    );
    if (limited < 0) return wanted.map((own, i) => bits[i] ?? own);
    const { least, most } = rounded[limited];
    bits[limited] = wanted[limited] < least ? least : most;
  }
}

function bitsFor(errorAtProbe: number, error: number, { least, most }: typeof INPUT_BITS): number {
  const bits = error > 0 ? Math.ceil(PROBE_BITS + Math.log2(errorAtProbe / error)) : BYTE_BITS;
  return Math.max(least, Math.min(most, bits));
}

/** The largest absolute value becomes 2^bits - 1: with eight bits bytes over 255 are exact. */
function inputScaleFor([low, high]: InputRange, bits: number): number {
  return (2 ** bits - 1) / Math.max(Math.abs(low), Math.abs(high), Number.MIN_VALUE);
}

function quantize(stretch: IntegerStretch, inputBits: number, weightBits: readonly number[]): IntegerNumbers {
  const { draft, statistics, range } = stretch;
  const plan = integerPlan(draft, weightBits, statistics.means);
  const inputScale = inputScaleFor(range, inputBits);
  return { plan, inputScale, relativeError: measureError(stretch, plan, inputScale) / statistics.typicalOutput };
}

/** Largest error of an output over the calibration inputs. */
function measureError(stretch: IntegerStretch, plan: BatchPlan, inputScale: number): number {
  return largestDifference(
    stretch,
    inputScale,
    (rounded) => runBatchClear(plan, { shape: plan.inputShape, data: rounded }).data,
  );
}

/** The same when nothing but inputs is rounded, to {@link PROBE_BITS} bits. */
function probeInputs(stretch: IntegerStretch): number {
  const { draft, range } = stretch;
  return largestDifference(stretch, inputScaleFor(range, PROBE_BITS), (rounded) => batchOutputs(draft, rounded));
}

function largestDifference(
  { draft, calibration, range: [, high] }: IntegerStretch,
  inputScale: number,
  run: (rounded: Float64Array) => Float64Array,
): number {
  const random = sequence(1);
  let largest = 0;
  for (const { data } of calibration) {
    // Made-up pictures have whole areas of a value that is not rounded at all: all values are moved by up to a step.
    const moved = data.map((value) => {
      const step = random() / inputScale;
      return value + step <= high ? value + step : value - step;
    });
    const found = run(moved.map((value) => quantizeValue(value, inputScale) / inputScale));
    for (const [i, value] of batchOutputs(draft, moved).entries()) {
      largest = Math.max(largest, Math.abs(value - found[i]));
    }
  }
  return largest;
}
