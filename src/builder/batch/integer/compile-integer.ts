/** From a model to an integer plan for BFV and its manifest: slots are images, outputs are exact. */

import { MAX_SQUARES } from "../../../bfv/index.ts";
import { CrcnnError } from "../../../errors/index.ts";
import {
  analyseDraft,
  type BatchPlan,
  type BatchSchedule,
  boundOutputs,
  demandBatchKeys,
  draftBatch,
  estimateIntegerCost,
  hashBatchPlan,
  type IntegerBounds,
  type IntegerCost,
  type IntegerManifest,
  measureSpans,
  mergeDemands,
  peakBytes,
  scheduleBatch,
} from "../../../plan/index.ts";
import type { InputRange } from "../../calibration.ts";
import type { ResolvedOptions } from "../../compile-options.ts";
import type { ModelStretch } from "../../stretches.ts";
import { chooseIntegerChain, type IntegerChain, MOST_PLAIN_MODULI } from "./chains.ts";
import { chooseIntegerNumbers, type IntegerNumbers } from "./numbers.ts";

/** A network on integers, ready to be run on many images at once. */
export interface CompiledIntegers {
  /** For the key's owner. */
  readonly manifest: IntegerManifest;
  /** For the evaluator, one a segment; each is run once for every plain modulus. */
  readonly plans: readonly BatchPlan[];
  readonly schedules: readonly BatchSchedule[];
  /** By segment, for one evaluation modulo one plain modulus. */
  readonly costs: readonly (IntegerCost & { readonly peakBytes: number })[];
  /** For full batches, all plain moduli together. */
  readonly imagesPerSecond: number;
  /** Predicted error of an output relative to the largest one: of rounding inputs and weights, since what follows is exact. */
  readonly predictedError: number;
}

interface IntegerSegmentDraft extends IntegerNumbers {
  readonly range: InputRange;
  readonly bounds: IntegerBounds;
}

/**
 * @throws CrcnnError UNSUPPORTED_MODEL for layers that the client would apply; NO_PARAMETERS when the precision is not reached or no ring degree carries the integers, UNSUPPORTED_MODEL for scales beyond
 * doubles, ABORTED.
 */
export function compileIntegers(stretches: readonly ModelStretch[], options: ResolvedOptions): CompiledIntegers {
  const { precision, security, weightBits, signal } = options;
  const applied = stretches.flatMap(({ ownerLayers }) => ownerLayers.map(({ kind }) => kind));
  if (applied.length > 0) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `the client cannot apply ${applied.join(", ")} under scheme "bfv", whose integers are bounded through the whole network; use scheme "ckks", or ` +
        "fit polynomials of degree 2",
    );
  }
  let range: InputRange = options.inputRange;
  const segments = stretches.map(({ steps, inputShape, calibration }): IntegerSegmentDraft => {
    const draft = draftBatch(steps, inputShape);
    const statistics = analyseDraft(draft, calibration);
    const numbers = chooseIntegerNumbers({ draft, statistics, calibration, range }, precision, weightBits);
    if (weightBits === undefined && numbers.relativeError > precision) throw unreachable(options, numbers);
    const bounds = boundOutputs(numbers.plan, numbers.inputScale, range);
    const segment = { ...numbers, range, bounds };
    range = outputRange(segment);
    return segment;
  });
  const plans = segments.map(({ plan }) => plan);
  const span = segments
    .map(({ bounds: { low, high } }) => high - low + 1n)
    .reduce((most, each) => (each > most ? each : most));
  const productTerms = productTermsOf(plans);
  const chain = chooseIntegerChain(plans, span, productTerms, security, signal);
  if (!("parameters" in chain)) throw tooLarge(options, span, chain.missing);
  return assemble(segments, chain, productTerms);
}

/** What the next segment's inputs are held to: all that this one can yield. */
function outputRange({ bounds, plan, inputScale }: IntegerSegmentDraft): InputRange {
  const schedule = scheduleBatch(plan, { dataPrimes: [] }, { level: 0, scale: inputScale });
  const { scale } = schedule[schedule.length - 1];
  const [low, high] = [Number(bounds.low) / scale, Number(bounds.high) / scale];
  return low < high ? [low, high] : [low - 1, high + 1];
}

/** Of the widest pool: the middle component of a square sums two products. */
function productTermsOf(plans: readonly BatchPlan[]): number {
  const widths = plans.flatMap(({ stages }) =>
    stages.map((stage, i) => {
      if (stage.op !== "sum" || stages[i - 1]?.op !== "square") return 1;
      return stage.rowStart.reduce((most, start, row) => Math.max(most, start - (stage.rowStart[row - 1] ?? start)), 1);
    }),
  );
  return 2 * Math.min(MAX_SQUARES, Math.max(2, ...widths));
}

function assemble(
  segments: readonly IntegerSegmentDraft[],
  { parameters, plainModuli, plans }: IntegerChain,
  productTerms: number,
): CompiledIntegers {
  const inputLevel = parameters.dataPrimes.length - 1;
  const schedules = plans.map((plan, i) =>
    scheduleBatch(plan, parameters, { level: inputLevel, scale: segments[i].inputScale }),
  );
  const bfv = { ...parameters, plainModulus: Math.max(...plainModuli) };
  const costs = plans.map((plan, i) => ({
    ...estimateIntegerCost(plan, measureSpans(plan), bfv, schedules[i], productTerms),
    peakBytes: peakBytes(plan, parameters, schedules[i]),
  }));
  const capacity = parameters.ringDegree;
  return {
    manifest: {
      scheme: "bfv",
      packing: "batch",
      parameters,
      plainModuli,
      productTerms,
      keys: mergeDemands(plans.map((plan, i) => demandBatchKeys(plan, schedules[i]))),
      capacity,
      segments: segments.map(({ inputScale, range, bounds }, i) => {
        const last = schedules[i][schedules[i].length - 1];
        return {
          hash: hashBatchPlan(plans[i]),
          inputShape: plans[i].inputShape,
          range,
          inputLevel,
          inputScale,
          outputShape: plans[i].outputShape,
          outputLevel: last.level,
          outputScale: last.scale,
          outputComponents: last.components,
          outputBounds: [String(bounds.low), String(bounds.high)],
        };
      }),
    },
    plans,
    schedules,
    costs,
    imagesPerSecond: capacity / (plainModuli.length * costs.reduce((sum, { seconds }) => sum + seconds, 0)),
    predictedError: Math.max(...segments.map(({ relativeError }) => relativeError)),
  };
}

function unreachable({ precision }: ResolvedOptions, { relativeError }: IntegerNumbers): CrcnnError {
  return new CrcnnError(
    "NO_PARAMETERS",
    `no weights of up to 16 bits reach a precision of ${precision} (closest: ${relativeError.toExponential(1)}); ask for less precision, or use ` +
      'scheme "ckks"',
  );
}

function tooLarge({ security, precision, weightBits }: ResolvedOptions, span: bigint, missing: number): CrcnnError {
  const bits = span.toString(2).length;
  const reason = Number.isFinite(missing)
    ? `leave no noise budget at any ring degree with ${security}-bit security (${Math.ceil(missing)} bits are missing)`
    : `are more than ${MOST_PLAIN_MODULI} plain moduli hold`;
  const fewer = weightBits === undefined ? `less precision than ${precision}` : `fewer than ${weightBits} weightBits`;
  return new CrcnnError(
    "NO_PARAMETERS",
    `the outputs' integers, of ${bits} bits, ${reason}; set a re-encryption position in the middle of the network, ask for ${fewer}, or use ` +
      'scheme "ckks"',
  );
}
