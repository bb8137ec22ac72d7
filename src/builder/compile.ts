/** From a model to plans and a manifest: layouts, parameters and keys, with no choice left to the user. */

import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import {
  demandBytes,
  demandKeys,
  emitPlan,
  estimateCost,
  estimateHeap,
  hashPlan,
  KEY_WORTH,
  mergeDemands,
  type Plan,
  type PlanCost,
  type PlanManifest,
  preRotateInputs,
  type Schedule,
  type Shape,
  sizeOf,
  slotCosts,
} from "../plan/index.ts";
import { maximumModulusBits, RING_DEGREES } from "../rlwe/index.ts";
import { type CompiledBatch, compileBatch } from "./batch/compile-batch.ts";
import { type CompiledIntegers, compileIntegers } from "./batch/integer/compile-integer.ts";
import type { InputRange } from "./calibration.ts";
import { type CompileOptions, type ResolvedOptions, resolveOptions } from "./compile-options.ts";
import { type NetworkStep, requireChain } from "./network.ts";
import { type Closest, noParameters } from "./no-parameters.ts";
import {
  type AnalysedPlan,
  analyse,
  type ChosenParameters,
  chooseParameters,
  SMALLEST_BITS,
} from "./planner/parameters.ts";
import { searchLayout } from "./planner/search.ts";
import type { SourceModel } from "./source/source-model.ts";
import { cutModel, type ModelStretch, traceStretches } from "./stretches.ts";

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

/** Options under which networks run on approximate numbers. */
export type CkksCompileOptions = CompileOptions & { readonly scheme?: "ckks" | undefined };

/** The largest of a few hundred outputs' errors is hardly ever further out than this many standard deviations. */
export const SIGMAS = 4.5;
/** Among plans whose prediction is better than what is asked for by this factor, time decides. */
const AMPLE = 5;
/** Where none is that good, the most precise will do when its prediction, which is no more than that, leaves this factor. */
const SUFFICIENT = 2;
const CHAIN_SHAPES = [1, 2, 3].flatMap((alpha) => [2, 3].map((baseCount) => ({ alpha, baseCount })));

/**
 * Compiles a model: for one image in the least time, or with the objective "memory" in the least memory, or with "throughput" for as many images
 * a second as can be, and with the scheme "bfv" the latter on exact integers.
 *
 * Ring degrees are tried from the smallest; at each the layout search proposes plans, and for every digit size the chain with the least
 * predicted noise is found. The cheapest one that is precise enough wins.
 *
 * @throws CrcnnError SHAPE_MISMATCH when the model does not take the input shape, NO_PARAMETERS when no ring degree reaches the precision,
 * ABORTED.
 */
export function compile(model: SourceModel, options: CompileOptions & { readonly scheme: "bfv" }): CompiledIntegers;
export function compile(
  model: SourceModel,
  options: CkksCompileOptions & { readonly objective: "throughput" },
): CompiledBatch;
export function compile(
  model: SourceModel,
  options: CkksCompileOptions & { readonly objective?: "latency" | "memory" | undefined },
): CompiledNetwork;
export function compile(model: SourceModel, options: CkksCompileOptions): CompiledNetwork | CompiledBatch;
export function compile(
  model: SourceModel,
  options: CompileOptions,
): CompiledNetwork | CompiledBatch | CompiledIntegers;
export function compile(
  model: SourceModel,
  options: CompileOptions,
): CompiledNetwork | CompiledBatch | CompiledIntegers {
  const resolved = resolveOptions(model, options);
  const { precision, security, inputRange, signal } = resolved;
  const { stretches, largestOutput } = cutModel(model, resolved);
  if (resolved.objective === "throughput") {
    for (const { steps } of stretches) requireChain(model, steps, 'objective "throughput"');
    return resolved.scheme === "bfv" ? compileIntegers(stretches, resolved) : compileBatch(stretches, resolved);
  }
  let closest: Closest | undefined;
  for (const ringDegree of RING_DEGREES) {
    throwIfAborted(signal);
    if (leastModulusBits(stretches) > maximumModulusBits(ringDegree, security)) continue;
    const found = compileWithin(ringDegree, stretches, resolved);
    if (!found) continue;
    if (found.predictedError <= precision / SUFFICIENT) {
      requireKeyBytes(found, resolved);
      return withInputRange(found, inputRange);
    }
    if (found.predictedError < (closest?.error ?? Number.POSITIVE_INFINITY))
      closest = { error: found.predictedError, ringDegree };
  }
  throw noParameters(resolved, closest, largestOutput);
}

/**
 * All that {@link compile} makes its choice from, as plain data: equal inputs have equal plans.
 *
 * @throws What `compile` throws for a model or options that it refuses before it searches.
 */
export function compileInputs(model: SourceModel, options: CompileOptions): unknown {
  const { signal: _, ...resolved } = resolveOptions(model, options);
  const stretches = traceStretches(model, resolved).map(({ encrypted: _, owner: __, ...stretch }) => stretch);
  return { options: resolved, layers: model.layers.map(({ index, layer }) => [index, layer.kind]), stretches };
}

/** The client is told which inputs the plans were made for. */
function withInputRange(network: CompiledNetwork, range: InputRange): CompiledNetwork {
  const [first, ...others] = network.manifest.segments;
  const segments = [{ ...first, input: { ...first.input, range } }, ...others];
  return { ...network, manifest: { ...network.manifest, segments } };
}

/** With layouts of fewer keys where that is the objective, or where those of the fastest have too many bytes. */
function compileWithin(
  ringDegree: number,
  stretches: readonly ModelStretch[],
  options: ResolvedOptions,
): CompiledNetwork | undefined {
  const fewKeys = (): CompiledNetwork | undefined => compileAt(ringDegree, stretches, options, KEY_WORTH.bytes);
  if (options.objective === "memory") return fewKeys();
  const fastest = compileAt(ringDegree, stretches, options, KEY_WORTH.time);
  return fastest && keyBytesOf(fastest) > options.maxKeyBytes ? fewKeys() : fastest;
}

function keyBytesOf({ manifest: { parameters, keys } }: CompiledNetwork): number {
  return demandBytes(parameters, keys);
}

/** @throws CrcnnError NO_PARAMETERS where even a plan of few keys has more bytes of them than wanted. */
function requireKeyBytes(network: CompiledNetwork, { maxKeyBytes }: ResolvedOptions): void {
  const bytes = keyBytesOf(network);
  if (bytes <= maxKeyBytes) return;
  throw new CrcnnError(
    "NO_PARAMETERS",
    `the evaluation keys would have ${bytes} bytes, maxKeyBytes is ${maxKeyBytes}; allow more, or set a re-encryption position in the middle of the ` +
      "network, which makes them shorter",
  );
}

function compileAt(
  ringDegree: number,
  stretches: readonly ModelStretch[],
  { objective, precision, security, inputCiphertexts, signal }: ResolvedOptions,
  keyWorth: number,
): CompiledNetwork | undefined {
  const costs = slotCosts(ringDegree, 1, keyWorth);
  const lowered = stretches.map(({ inputShape, steps }) => {
    const slots = Math.min(ringDegree / 2, usefulSlots(inputShape, steps));
    return searchLayout(steps, { inputShape, slots, costs, ...(signal ? { signal } : {}) });
  });
  let best: { network: CompiledNetwork; cost: number } | undefined;
  for (const foldsBeforeRescale of [false, true]) {
    const plans = lowered.map((network, i) =>
      analyse(
        preRotateInputs(emitPlan(network, { foldsBeforeRescale, rescaleLast: false }), inputCiphertexts),
        stretches[i].calibration,
      ),
    );
    // Of all weights, so it takes longer than the choice of a chain.
    let hashes: readonly string[] | undefined;
    for (const { alpha, baseCount } of CHAIN_SHAPES) {
      throwIfAborted(signal);
      const chosen = chooseParameters(plans, { ringDegree, alpha, baseCount }, security);
      if (!chosen) continue;
      hashes ??= plans.map(({ plan }) => hashPlan(plan));
      const network = assemble(stretches, plans, hashes, chosen);
      const cost = objective === "memory" ? heapBytes(network) : secondsOf(network);
      const better =
        !best ||
        (network.predictedError <= precision / AMPLE
          ? best.network.predictedError > precision / AMPLE || cost < best.cost
          : network.predictedError < best.network.predictedError);
      if (better) best = { network, cost };
    }
  }
  return best?.network;
}

function secondsOf({ costs }: CompiledNetwork): number {
  return costs.reduce((sum, { seconds }) => sum + seconds, 0);
}

function heapBytes({ manifest, plans, schedules }: CompiledNetwork): number {
  const segments = plans.map((plan, i) => ({ plan, schedule: schedules[i] }));
  return estimateHeap(segments, manifest.parameters, manifest.keys).total;
}

/** Room for four copies of the largest tensor: more copies save little, and fewer slots carry less noise and are searched faster. */
function usefulSlots(inputShape: Shape, steps: readonly NetworkStep[]): number {
  const sizes = steps.map(({ algebra }) => (algebra.kind === "affine" ? sizeOf(algebra.map.outputShape) : 1));
  return 4 * 2 ** Math.ceil(Math.log2(Math.max(sizeOf(inputShape), ...sizes)));
}

function assemble(
  stretches: readonly ModelStretch[],
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
        ownerLayers: stretches[i].ownerLayers,
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

/** A bound below which no chain for these stretches can be: neighbouring affine layers fused, the last product not rescaled. */
function leastModulusBits(stretches: readonly ModelStretch[]): number {
  const products = stretches.map(({ steps }) => {
    let count = 0;
    for (const [i, { algebra }] of steps.entries()) {
      if (algebra.kind === "square" || i === 0 || steps[i - 1].algebra.kind === "square") count++;
    }
    // A pool of equal weights takes no level, so only squares and one product between two of them are certain.
    return Math.max(count - 1, 0);
  });
  const bits = stretches.map(({ steps }, i) => {
    const squares = steps.filter(({ algebra }) => algebra.kind === "square").length;
    const certain = Math.min(products[i], 2 * squares);
    // One of the squares may be the product that is not rescaled.
    const rescaled = Math.min(certain, Math.max(squares - 1, 0));
    return rescaled * SMALLEST_BITS.square + (certain - rescaled) * SMALLEST_BITS.affine;
  });
  return Math.max(...bits) + CHAIN_SHAPES[0].baseCount * SMALLEST_BITS.base + SMALLEST_BITS.special;
}
