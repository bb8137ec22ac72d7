/**
 * Choosing primes and scales for a plan: of all chains within the security table, the one with the least predicted noise.
 *
 * Prime sizes and scales are separate choices. The prime after an affine map is about the scale of its weights; the one after a
 * square is about the scale of the messages; those that stay hold the last product.
 */

import { CrcnnError } from "../../errors/index.ts";
import { findNttPrimes } from "../../math/index.ts";
import {
  analysePlan,
  estimateNoise,
  finalStretch,
  type Plan,
  type PlanStatistics,
  planDepth,
  type ScalePolicy,
  type Schedule,
  schedulePlan,
  type Tensor,
} from "../../plan/index.ts";
import { maximumModulusBits, modulusBits, type RlweParameters, type SecurityLevel } from "../../rlwe/index.ts";

/** A plan with what calibration says of it. */
export interface AnalysedPlan {
  readonly plan: Plan;
  readonly statistics: PlanStatistics;
  /** Rescales from input to output. */
  readonly depth: number;
  /** Largest value from the last product on, where that is an affine one; 0 otherwise. */
  readonly largestFinal: number;
}

/** What the choice between chains can be made from without looking at the plan again. */
export function analyse(plan: Plan, calibration: readonly Tensor[]): AnalysedPlan {
  const statistics = analysePlan(plan, calibration);
  const largestFinal = finalStretch(plan).reduce((most, id) => Math.max(most, statistics.largest[id]), 0);
  return { plan, statistics, depth: planDepth(plan), largestFinal };
}

/** The sizes that make chains cost alike: among equals, the least noise wins. */
export interface ChainShape {
  readonly ringDegree: number;
  /** Special primes, and primes in a digit. */
  readonly alpha: number;
  /** Primes that stay below the last rescale, to hold the last product: two, or three where its values are large. */
  readonly baseCount: number;
}

export interface ChosenParameters {
  readonly parameters: RlweParameters;
  readonly policy: ScalePolicy;
  /** By plan. */
  readonly schedules: readonly Schedule[];
  readonly inputLevels: readonly number[];
  /** By plan: standard deviation of an output's error. */
  readonly deviations: readonly number[];
}

/** Values may exceed what calibration saw by this factor before they wrap around the modulus. */
export const RANGE_MARGIN = 4;

const AFFINE_BITS = [30, 29, 28, 27, 26, 25, 24, 23, 22];
const SQUARE_BITS = [30, 29, 28, 27, 26];
const BASE_BITS = [30, 29, 28, 27, 26];
const SPECIAL_BITS = [30, 29, 28];
const MESSAGE_BITS = [31, 30, 29, 28, 27, 26, 25, 24, 23, 22];
/** The smallest primes of a chain, by what they are for. */
export const SMALLEST_BITS: Readonly<Record<"affine" | "square" | "base" | "special", number>> = {
  affine: Math.min(...AFFINE_BITS),
  square: Math.min(...SQUARE_BITS),
  base: Math.min(...BASE_BITS),
  special: Math.min(...SPECIAL_BITS),
};
/** Weights finer than this add nothing. */
const MAXIMUM_WEIGHT_BITS = 32;

/** What each rescale follows, from the top of the chain down: that of the deepest plan. */
function rescaleKinds(plans: readonly AnalysedPlan[]): ("affine" | "square")[] {
  const kinds: ("affine" | "square")[] = [];
  for (const { plan, depth } of plans) {
    if (depth < kinds.length) continue;
    const own: ("affine" | "square")[] = new Array(depth).fill("affine");
    const schedule = schedulePlan(plan, { dataPrimes: new Array(depth + 1).fill(1) }, UNIT_POLICY, {
      level: depth,
      scale: 1,
    });
    for (const node of plan.nodes) {
      if (node.op !== "rescale") continue;
      if (plan.nodes[node.source].op === "relinearize") own[depth - schedule.levels[node.source]] = "square";
    }
    kinds.splice(0, kinds.length, ...own);
  }
  return kinds;
}

const UNIT_POLICY: ScalePolicy = { messageScale: 1, outputScale: 1 };

/** The chain of least noise for these plans, or undefined where none is secure and holds all values. */
export function chooseParameters(
  plans: readonly AnalysedPlan[],
  shape: ChainShape,
  security: SecurityLevel,
): ChosenParameters | undefined {
  const { ringDegree } = shape;
  const limit = maximumModulusBits(ringDegree, security);
  const exists = createPrimeCheck(ringDegree);
  let best: { bits: PrimeBits; message: number; noise: number } | undefined;
  for (const bits of chains(rescaleKinds(plans), shape)) {
    if ([...bits.data, ...bits.special].reduce((sum, each) => sum + each, 0) > limit) continue;
    if (!exists(bits)) continue;
    const parameters = nominalParameters(ringDegree, bits);
    for (const message of MESSAGE_BITS) {
      const noise = evaluate(plans, parameters, message)?.noise ?? Number.POSITIVE_INFINITY;
      if (noise < (best?.noise ?? Number.POSITIVE_INFINITY)) best = { bits, message, noise };
    }
  }
  if (!best) return undefined;
  const parameters = realParameters(ringDegree, best.bits, security);
  const result = evaluate(plans, parameters, best.message);
  if (!result || modulusBits([...parameters.dataPrimes, ...parameters.specialPrimes]) > limit) return undefined;
  return { parameters, ...result };
}

/** All chains with one size for the primes after affine maps, one for those after squares, one for those that stay. */
function* chains(kinds: readonly ("affine" | "square")[], { alpha, baseCount }: ChainShape): Generator<PrimeBits> {
  const affineBits = kinds.includes("affine") ? AFFINE_BITS : [AFFINE_BITS[0]];
  const squareBits = kinds.includes("square") ? SQUARE_BITS : [SQUARE_BITS[0]];
  for (const base of BASE_BITS) {
    for (const special of SPECIAL_BITS) {
      for (const affine of affineBits) {
        for (const square of squareBits) {
          // From q_0 upwards: the primes that stay, then those that go, the last to go first.
          const rescaling = kinds.map((kind) => (kind === "affine" ? affine : square)).reverse();
          yield {
            data: [...new Array<number>(baseCount).fill(base), ...rescaling],
            special: new Array<number>(alpha).fill(special),
          };
        }
      }
    }
  }
}

interface PrimeBits {
  readonly data: readonly number[];
  readonly special: readonly number[];
}

/** Tells whether there are as many primes of each length as a chain wants: at large ring degrees short ones are few. */
function createPrimeCheck(ringDegree: number): (bits: PrimeBits) => boolean {
  const known = new Map<string, boolean>();
  const hasPrimes = (length: number, count: number): boolean => {
    const key = `${length}:${count}`;
    let found = known.get(key);
    if (found === undefined) {
      try {
        found = findNttPrimes(ringDegree, new Array<number>(count).fill(length)).length === count;
      } catch (error) {
        if (!(error instanceof CrcnnError && error.code === "OUT_OF_PRIMES")) throw error;
        found = false;
      }
      known.set(key, found);
    }
    return found;
  };
  return ({ data, special }) => {
    const lengths = [...data, ...special];
    return [...new Set(lengths)].every((length) => hasPrimes(length, lengths.filter((each) => each === length).length));
  };
}

/** Powers of two in place of the primes: close enough to compare chains by. */
function nominalParameters(ringDegree: number, { data, special }: PrimeBits): RlweParameters {
  const powers = (bits: readonly number[]): number[] => bits.map((each) => 2 ** each);
  return { ringDegree, dataPrimes: powers(data), specialPrimes: powers(special), security: "insecure" };
}

function realParameters(ringDegree: number, { data, special }: PrimeBits, security: SecurityLevel): RlweParameters {
  // Special primes first: they should be the largest of their size, so that P is not below the digits.
  const primes = findNttPrimes(ringDegree, [...special, ...data]);
  return {
    ringDegree,
    dataPrimes: primes.slice(special.length),
    specialPrimes: primes.slice(0, special.length),
    security,
  };
}

/** Schedules the plans and adds up their relative noise; undefined where a value does not fit the modulus at its level. */
function evaluate(
  plans: readonly AnalysedPlan[],
  parameters: RlweParameters,
  messageBits: number,
): (Omit<ChosenParameters, "parameters"> & { noise: number }) | undefined {
  const { dataPrimes } = parameters;
  const moduli: number[] = [];
  for (const prime of dataPrimes) moduli.push((moduli[moduli.length - 1] ?? 1) * prime);
  const depth = Math.max(...plans.map((each) => each.depth));
  const baseLevel = dataPrimes.length - 1 - depth;
  const messageScale = 2 ** messageBits;
  const policy = { messageScale, outputScale: largestOutputScale(plans, moduli[baseLevel], messageScale) };
  const schedules: Schedule[] = [];
  const deviations: number[] = [];
  const inputLevels: number[] = [];
  let noise = 0;
  for (const { plan, statistics, depth: own } of plans) {
    const level = baseLevel + own;
    const schedule = schedulePlan(plan, parameters, policy, { level, scale: messageScale });
    for (const [id, { op }] of plan.nodes.entries()) {
      const room = moduli[schedule.levels[id]] / (2 * RANGE_MARGIN);
      // A scale must fit by itself, too, however small the values are: operations refuse one that does not.
      if (Math.max(statistics.largest[id], 1) * schedule.scales[id] > room) return undefined;
      if (op === "weightedSum" && schedule.operandScales[id] < 1) return undefined;
    }
    const deviation = estimateNoise(plan, statistics, parameters, schedule);
    noise += (deviation / statistics.typicalOutput) ** 2;
    schedules.push(schedule);
    deviations.push(deviation);
    inputLevels.push(level);
  }
  return { policy, schedules, inputLevels, deviations, noise };
}

/** The largest power of two at which the last products of all plans fit the modulus that is left. */
function largestOutputScale(plans: readonly AnalysedPlan[], modulus: number, messageScale: number): number {
  const largest = Math.max(...plans.map(({ largestFinal }) => largestFinal));
  const fitting = largest === 0 ? 0 : Math.floor(Math.log2(modulus / (2 * RANGE_MARGIN * Math.max(largest, 1))));
  return 2 ** Math.min(fitting, Math.log2(messageScale) + MAXIMUM_WEIGHT_BITS);
}
