/**
 * Scales and weight sizes of a batch plan for given primes: the message scale and, for each map, the bits of its weights. A fine message scale
 * makes noise small, fine weights make rounding small, and their product squared has to fit the modulus; what is left of it after the
 * division is the next message scale. A hill is climbed in all of these at once.
 */

import {
  type BatchDraft,
  type BatchStatistics,
  batchSpans,
  estimateBatchNoise,
  estimateWeightError,
  MAX_WEIGHT_BITS,
  MIN_WEIGHT_BITS,
  outlineBatch,
  scheduleBatch,
  uncutWeightBits,
} from "../../plan/index.ts";
import type { RlweParameters } from "../../rlwe/index.ts";
import { RANGE_MARGIN } from "../planner/parameters.ts";

/** Standard deviations: the largest of many outputs' errors is hardly ever further out. */
export const BATCH_SIGMAS = 4.5;

/** A stretch of a network with what calibration says of it. */
export interface BatchStretch {
  readonly draft: BatchDraft;
  readonly statistics: BatchStatistics;
}

export interface ChosenNumbers {
  readonly messageBits: number;
  readonly weightBits: readonly number[];
  /** Of an output, in its own units: {@link BATCH_SIGMAS} standard deviations of noise, and what rounded weights do. */
  readonly noise: number;
  readonly weightError: number;
}

const MESSAGE_BITS = { least: 10, most: 44, step: 0.5, starts: [16, 22, 28] };
const WEIGHT_BITS = { least: MIN_WEIGHT_BITS, most: MAX_WEIGHT_BITS, step: 0.25, starts: [6, 10, 14] };
const MOVES = [-3, -1, 1, 3];

export function totalError({ noise, weightError }: ChosenNumbers): number {
  return Math.hypot(noise, weightError);
}

interface Coordinate {
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly starts: readonly number[];
}

/**
 * @param parameters Only sizes matter: primes may be powers of two.
 * @param drops By span.
 * @param weightBits Fixes the bits of all weights.
 * @param uncut Before squares, weights are no longer than uninterrupted sums take ({@link uncutWeightBits}).
 * @returns The numbers of least error, or undefined where nothing fits.
 */
export function chooseNumbers(
  stretch: BatchStretch,
  parameters: RlweParameters,
  inputLevel: number,
  drops: readonly number[],
  weightBits?: number,
  uncut = false,
): ChosenNumbers | undefined {
  const { spans } = stretch.draft;
  const affine = spans.flatMap(({ map }, i) => (map && map.equal === undefined ? [i] : []));
  const free = weightBits === undefined ? affine : [];
  // A point: bits of the message scale, then of each map's weights.
  const weightsOf = (i: number): Coordinate => {
    const { map, square } = spans[i];
    // Where nothing is squared behind it, a map has few rows and its weights matter most.
    const most = uncut && map && square ? uncutWeightBits(map) : MAX_WEIGHT_BITS;
    return { ...WEIGHT_BITS, most };
  };
  const coordinates: Coordinate[] = [MESSAGE_BITS, ...free.map(weightsOf)];
  let best: { point: readonly number[]; numbers: ChosenNumbers } | undefined;
  const consider = (point: readonly number[]): boolean => {
    if (!point.every((value, i) => value >= coordinates[i].least && value <= coordinates[i].most)) return false;
    const bits = spans.map((_, i) => (free.includes(i) ? point[1 + free.indexOf(i)] : (weightBits ?? MAX_WEIGHT_BITS)));
    const numbers = judge(stretch, parameters, inputLevel, drops, { messageBits: point[0], weightBits: bits });
    if (!numbers || (best && totalError(numbers) >= totalError(best.numbers))) return false;
    best = { point, numbers };
    return true;
  };
  for (const message of MESSAGE_BITS.starts) {
    for (const weight of [...WEIGHT_BITS.starts, MAX_WEIGHT_BITS]) {
      consider([message, ...coordinates.slice(1).map(({ most }) => Math.min(weight, most))]);
    }
  }
  while (best && climb(best.point, coordinates, consider));
  return best?.numbers;
}

/** Tries all moves of one or two numbers; true where one of them was an improvement. */
function climb(
  from: readonly number[],
  coordinates: readonly Coordinate[],
  consider: (point: readonly number[]) => boolean,
): boolean {
  let improved = false;
  const moved = (point: readonly number[], i: number, move: number): number[] =>
    point.with(i, point[i] + move * coordinates[i].step);
  for (const i of from.keys()) {
    for (const move of MOVES) {
      const single = moved(from, i, move);
      improved = consider(single) || improved;
      for (let j = i + 1; j < from.length; j++) {
        for (const other of MOVES) improved = consider(moved(single, j, other)) || improved;
      }
    }
  }
  return improved;
}

/** Errors of these numbers; undefined where a value does not fit the modulus at its level. */
export function judge(
  { draft, statistics }: BatchStretch,
  parameters: RlweParameters,
  inputLevel: number,
  drops: readonly number[],
  { messageBits, weightBits }: Pick<ChosenNumbers, "messageBits" | "weightBits">,
): ChosenNumbers | undefined {
  const plan = outlineBatch(draft, { weightBits, drops });
  const schedule = scheduleBatch(plan, parameters, { level: inputLevel, scale: 2 ** messageBits });
  const bits: number[] = [];
  for (const prime of parameters.dataPrimes) bits.push((bits.at(-1) ?? 0) + Math.log2(prime));
  for (const [s, { first, stages }] of batchSpans(plan).entries()) {
    const { linear, output } = statistics.largest[s];
    for (const [j, { op }] of stages.entries()) {
      const value = op === "square" ? linear ** 2 : j === 0 ? linear : output;
      const { scale, level } = schedule[first + j + 1];
      // A scale must fit by itself, too, however small the values are.
      if (Math.log2(2 * RANGE_MARGIN * Math.max(value, 1) * scale) > bits[level]) return undefined;
    }
  }
  return {
    messageBits,
    weightBits,
    noise: BATCH_SIGMAS * estimateBatchNoise(plan, statistics, parameters, schedule),
    weightError: estimateWeightError(statistics, weightBits),
  };
}
