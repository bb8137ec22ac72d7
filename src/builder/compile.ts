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
  preRotateInputs,
  type Schedule,
  type Shape,
  sizeOf,
  slotCosts,
  type Tensor,
} from "../plan/index.ts";
import { maximumModulusBits, RING_DEGREES } from "../rlwe/index.ts";
import type { InputRange } from "./calibration.ts";
import { type CompileOptions, type ResolvedOptions, resolveOptions } from "./compile-options.ts";
import { type NetworkStep, networkSteps, segmentBounds, traceShapes } from "./network.ts";
import {
  type AnalysedPlan,
  analyse,
  type ChosenParameters,
  chooseParameters,
  SMALLEST_BITS,
} from "./planner/parameters.ts";
import { searchLayout } from "./planner/search.ts";
import type { SourceModel } from "./torch/index.ts";

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
const AMPLE = 5;
/** Where none is that good, the most precise will do when its prediction, which is no more than that, leaves this factor. */
const SUFFICIENT = 2;
const CHAIN_SHAPES = [1, 2, 3].flatMap((alpha) => [2, 3].map((baseCount) => ({ alpha, baseCount })));

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
  const resolved = resolveOptions(model, options);
  const { inputShape, precision, security, inputRange, samples, rencryptPositions, signal } = resolved;
  const shapes = traceShapes(model, inputShape);
  const bounds = segmentBounds(model, rencryptPositions);
  const segments = bounds.slice(1).map((last, i) => {
    const first = bounds[i];
    return { inputShape: shapes[first], steps: networkSteps(model, shapes, first, last), first };
  });
  const calibration = calibrateSegments(model, bounds, samples);
  const largestOutput = requireOutputs(calibration);

  let closest: { error: number; ringDegree: number } | undefined;
  for (const ringDegree of RING_DEGREES) {
    throwIfAborted(signal);
    if (leastModulusBits(segments) > maximumModulusBits(ringDegree, security)) continue;
    const found = compileAt(ringDegree, segments, calibration, resolved);
    if (!found) continue;
    if (found.predictedError <= precision / SUFFICIENT) return withInputRange(found, inputRange);
    if (found.predictedError < (closest?.error ?? Number.POSITIVE_INFINITY))
      closest = { error: found.predictedError, ringDegree };
  }
  const wanted = `for an input of ${formatShape(inputShape)} at ${security}-bit security`;
  throw new CrcnnError(
    "NO_PARAMETERS",
    closest
      ? `no parameters reach a precision of ${precision} ${wanted} (closest: ${closest.error.toExponential(1)} at N = ${closest.ringDegree}); ` +
          "set a re-encryption position in the middle of the network, or ask for less precision"
      : `no parameters hold the network's values ${wanted}: it is too deep, or its values are too large (outputs reach ` +
          `${largestOutput.toExponential(1)}); set a re-encryption position in the middle of the network, or scale inputs or weights down`,
  );
}

/** The client is told which inputs the plans were made for. */
function withInputRange(network: CompiledNetwork, range: InputRange): CompiledNetwork {
  const [first, ...others] = network.manifest.segments;
  const segments = [{ ...first, input: { ...first.input, range } }, ...others];
  return { ...network, manifest: { ...network.manifest, segments } };
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
  { precision, security, inputCiphertexts, signal }: ResolvedOptions,
): CompiledNetwork | undefined {
  const costs = slotCosts(ringDegree, 1);
  const lowered = segments.map(({ inputShape, steps }) => {
    const slots = Math.min(ringDegree / 2, usefulSlots(inputShape, steps));
    return searchLayout(steps, { inputShape, slots, costs, ...(signal ? { signal } : {}) });
  });
  let best: { network: CompiledNetwork; seconds: number } | undefined;
  for (const foldsBeforeRescale of [false, true]) {
    const plans = lowered.map((network, i) =>
      analyse(
        preRotateInputs(emitPlan(network, { foldsBeforeRescale, rescaleLast: false }), inputCiphertexts),
        calibration[i],
      ),
    );
    // Of all weights, so it takes longer than the choice of a chain.
    let hashes: readonly string[] | undefined;
    for (const { alpha, baseCount } of CHAIN_SHAPES) {
      throwIfAborted(signal);
      const chosen = chooseParameters(plans, { ringDegree, alpha, baseCount }, security);
      if (!chosen) continue;
      hashes ??= plans.map(({ plan }) => hashPlan(plan));
      const network = assemble(plans, hashes, chosen);
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

function assemble(
  analysed: readonly AnalysedPlan[],
  hashes: readonly string[],
  chosen: ChosenParameters,
): CompiledNetwork {
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
        hash: hashes[i],
        slots: plan.slots,
        input: plan.input,
        inputLevel: inputLevels[i],
        output: plan.output,
        outputCiphertexts: plan.outputs.length,
        outputLevel: schedules[i].levels[plan.outputs[0]],
        outputScale: schedules[i].scales[plan.outputs[0]],
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

/** The calibration inputs as they reach each segment, and as they leave the last one. */
function calibrateSegments(model: SourceModel, bounds: readonly number[], samples: readonly Tensor[]): Tensor[][] {
  const bySegment: Tensor[][] = [[...samples]];
  for (let i = 1; i < bounds.length; i++) {
    const layers = model.layers.slice(bounds[i - 1], bounds[i]);
    bySegment.push(
      bySegment[i - 1].map((sample) => layers.reduce((tensor, { layer }) => layer.forward(tensor), sample)),
    );
  }
  return bySegment;
}

/**
 * The largest output of the calibration inputs.
 *
 * @throws CrcnnError UNSUPPORTED_MODEL where a segment's outputs are all zero or leave the range of doubles: no error can be relative to them.
 */
function requireOutputs(calibration: readonly (readonly Tensor[])[]): number {
  let largest = 0;
  for (const outputs of calibration.slice(1)) {
    largest = outputs.reduce((most, { data }) => data.reduce((m, value) => Math.max(m, Math.abs(value)), most), 0);
    if (largest > 0 && largest < Number.POSITIVE_INFINITY) continue;
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      largest === 0
        ? "the model's outputs are 0 for every calibration input, so no precision can be relative to them; check its weights"
        : "the model's values grow beyond the range of double precision; scale its weights or the inputs down",
    );
  }
  return largest;
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
  const bits = segments.map(({ steps }, i) => {
    const squares = steps.filter(({ algebra }) => algebra.kind === "square").length;
    const certain = Math.min(products[i], 2 * squares);
    // One of the squares may be the product that is not rescaled.
    const rescaled = Math.min(certain, Math.max(squares - 1, 0));
    return rescaled * SMALLEST_BITS.square + (certain - rescaled) * SMALLEST_BITS.affine;
  });
  return Math.max(...bits) + CHAIN_SHAPES[0].baseCount * SMALLEST_BITS.base + SMALLEST_BITS.special;
}
