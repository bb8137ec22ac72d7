/** From a model to plans and a manifest: layouts, parameters and keys, with no choice left to the user. */

import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import {
  demandKeys,
  emitPlan,
  estimateCost,
  formatShape,
  hashPlan,
  mergeDemands,
  type Plan,
  type PlanCost,
  type PlanManifest,
  type Schedule,
  type Shape,
  sizeOf,
  slotCosts,
  type Tensor,
} from "../plan/index.ts";
import { maximumModulusBits, RING_DEGREES, type SecurityLevel } from "../rlwe/index.ts";
import { type InputRange, syntheticInputs } from "./calibration.ts";
import { type NetworkStep, networkSteps, segmentBounds, traceShapes } from "./network.ts";
import { type AnalysedPlan, analyse, type ChosenParameters, chooseParameters } from "./planner/parameters.ts";
import { searchLayout } from "./planner/search.ts";
import type { SourceModel } from "./torch/index.ts";

export interface CompileOptions {
  /** Shape of one input without a batch axis, as `[1, 28, 28]`. */
  readonly inputShape: Shape;
  /** Wanted error of an output, relative to the largest one; 1e-3 by default. */
  readonly precision?: number | undefined;
  /** Bits of security; 128 by default. */
  readonly security?: SecurityLevel | undefined;
  /** Smallest and largest value of an input element; [0, 1] by default. */
  readonly inputRange?: InputRange | undefined;
  /** Inputs like those to come, to measure value ranges with; made up from `inputRange` by default. */
  readonly calibration?: readonly Tensor[] | undefined;
  /** Layers of the source model (0-based) before which the key's owner encrypts afresh. */
  readonly rencryptPositions?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A network ready to be run. */
export interface CompiledNetwork {
  /** For the key's owner. */
  readonly manifest: PlanManifest;
  /** For the evaluator, one a segment. */
  readonly plans: readonly Plan[];
  readonly schedules: readonly Schedule[];
  /** By segment, for one evaluation. */
  readonly costs: readonly PlanCost[];
  /** Predicted error of an output relative to the largest one, with {@link SIGMAS} standard deviations. */
  readonly predictedError: number;
}

/** The largest of a few hundred outputs' errors is hardly ever further out than this many standard deviations. */
export const SIGMAS = 4.5;
/** Among plans whose prediction is better than what is asked for by this factor, time decides. */
const AMPLE = 10;
/** Where none is that good, the most precise will do when its prediction, which is no more than that, leaves this factor. */
const SUFFICIENT = 2;
const CHAIN_SHAPES = [1, 2, 3].flatMap((alpha) => [2, 3].map((baseCount) => ({ alpha, baseCount })));
/** No chain is shorter than this many bits for each prime that a plan needs. */
const MINIMUM_PRIME_BITS = 22;

/**
 * Compiles a model.
 *
 * Ring degrees are tried from the smallest; at each the layout search proposes plans, and for every digit size the chain with the least
 * predicted noise is found. The cheapest one that is precise enough wins.
 *
 * @throws CrcnnError SHAPE_MISMATCH when the model does not take the input shape, NO_PARAMETERS when no ring degree reaches the precision,
 * ABORTED.
 */
export function compile(model: SourceModel, options: CompileOptions): CompiledNetwork {
  const { inputShape, precision = 1e-3, security = 128, inputRange = [0, 1], rencryptPositions = [], signal } = options;
  if (!(precision > 0 && precision < 1)) throw new RangeError(`precision must be between 0 and 1, got ${precision}`);
  const shapes = traceShapes(model, inputShape);
  const bounds = segmentBounds(rencryptPositions, model.layers.length);
  const segments = bounds.slice(1).map((last, i) => {
    const first = bounds[i];
    return { inputShape: shapes[first], steps: networkSteps(model, shapes, first, last), first };
  });
  const samples = options.calibration ?? syntheticInputs(inputShape, inputRange);
  const calibration = calibrateSegments(model, bounds, samples);

  let closest: { error: number; ringDegree: number } | undefined;
  for (const ringDegree of RING_DEGREES) {
    throwIfAborted(signal);
    if (leastModulusBits(segments) > maximumModulusBits(ringDegree, security)) continue;
    const found = compileAt(ringDegree, segments, calibration, precision, security, signal);
    if (!found) continue;
    if (found.predictedError <= precision / SUFFICIENT) return found;
    if (found.predictedError < (closest?.error ?? Number.POSITIVE_INFINITY))
      closest = { error: found.predictedError, ringDegree };
  }
  throw new CrcnnError(
    "NO_PARAMETERS",
    `no parameters reach a precision of ${precision} for an input of ${formatShape(inputShape)} at ${security}-bit security` +
      `${closest ? ` (closest: ${closest.error.toExponential(1)} at N = ${closest.ringDegree})` : ""}; set a re-encryption position in the ` +
      "middle of the network, or ask for less precision",
  );
}

interface Segment {
  readonly inputShape: Shape;
  readonly steps: readonly NetworkStep[];
  readonly first: number;
}

function compileAt(
  ringDegree: number,
  segments: readonly Segment[],
  calibration: readonly (readonly Tensor[])[],
  precision: number,
  security: SecurityLevel,
  signal: AbortSignal | undefined,
): CompiledNetwork | undefined {
  const costs = slotCosts(ringDegree, 1);
  const lowered = segments.map(({ inputShape, steps }) => {
    const slots = Math.min(ringDegree / 2, usefulSlots(inputShape, steps));
    return searchLayout(steps, { inputShape, slots, costs, ...(signal ? { signal } : {}) });
  });
  let best: { network: CompiledNetwork; seconds: number } | undefined;
  for (const foldsBeforeRescale of [false, true]) {
    const plans = lowered.map((network, i) =>
      analyse(emitPlan(network, { foldsBeforeRescale, rescaleLast: false }), calibration[i]),
    );
    for (const { alpha, baseCount } of CHAIN_SHAPES) {
      throwIfAborted(signal);
      const chosen = chooseParameters(plans, { ringDegree, alpha, baseCount }, security);
      if (!chosen) continue;
      const network = assemble(plans, chosen);
      const seconds = network.costs.reduce((sum, cost) => sum + cost.seconds, 0);
      const better =
        !best ||
        (network.predictedError <= precision / AMPLE
          ? best.network.predictedError > precision / AMPLE || seconds < best.seconds
          : network.predictedError < best.network.predictedError);
      if (better) best = { network, seconds };
    }
  }
  return best?.network;
}

/** Room for four copies of the largest tensor: more copies save little, and fewer slots carry less noise and are searched faster. */
function usefulSlots(inputShape: Shape, steps: readonly NetworkStep[]): number {
  const sizes = steps.map(({ algebra }) => (algebra.kind === "affine" ? sizeOf(algebra.map.outputShape) : 1));
  return 4 * 2 ** Math.ceil(Math.log2(Math.max(sizeOf(inputShape), ...sizes)));
}

function assemble(analysed: readonly AnalysedPlan[], chosen: ChosenParameters): CompiledNetwork {
  const { parameters, policy, schedules, deviations, inputLevels } = chosen;
  const plans = analysed.map(({ plan }) => plan);
  const demands = plans.map((plan, i) => demandKeys(plan, schedules[i]));
  return {
    manifest: {
      scheme: "ckks",
      parameters,
      policy,
      keys: mergeDemands(demands),
      segments: plans.map((plan, i) => ({
        hash: hashPlan(plan),
        slots: plan.slots,
        input: plan.input,
        inputLevel: inputLevels[i],
        output: plan.output,
        outputCiphertexts: plan.outputs.length,
        expectedError: SIGMAS * deviations[i],
      })),
    },
    plans,
    schedules,
    costs: plans.map((plan, i) => estimateCost(plan, parameters, schedules[i], demands[i])),
    predictedError: Math.max(
      ...deviations.map((deviation, i) => (SIGMAS * deviation) / analysed[i].statistics.typicalOutput),
    ),
  };
}

/** The calibration inputs as they reach each segment. */
function calibrateSegments(model: SourceModel, bounds: readonly number[], samples: readonly Tensor[]): Tensor[][] {
  const bySegment: Tensor[][] = [[...samples]];
  for (let i = 1; i < bounds.length - 1; i++) {
    const layers = model.layers.slice(bounds[i - 1], bounds[i]);
    bySegment.push(
      bySegment[i - 1].map((sample) => layers.reduce((tensor, { layer }) => layer.forward(tensor), sample)),
    );
  }
  return bySegment;
}

/** A bound below which no chain for these segments can be: neighbouring affine layers fused, the last product not rescaled. */
function leastModulusBits(segments: readonly Segment[]): number {
  const products = segments.map(({ steps }) => {
    let count = 0;
    for (const [i, { algebra }] of steps.entries()) {
      if (algebra.kind === "square" || i === 0 || steps[i - 1].algebra.kind === "square") count++;
    }
    // A pool of equal weights takes no level, so only squares and one product between two of them are certain.
    return Math.max(count - 1, 0);
  });
  const squares = segments.map(({ steps }) => steps.filter(({ algebra }) => algebra.kind === "square").length);
  const certain = products.map((count, i) => Math.min(count, 2 * squares[i]));
  return (Math.max(...certain, 0) + 3) * MINIMUM_PRIME_BITS;
}
