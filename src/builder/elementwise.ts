/**
 * Models for PyCrCNN's own representation: BFV with its `{ m, p, sec, base }`, the fractional encoder, one ciphertext a tensor element. The key's
 * owner encrypts afresh where it is asked to, and applies a Square that stands there itself.
 */

import { type ChosenParameters, chooseSeedParameters, type SeedEncryptionParameters } from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import {
  type BatchPlan,
  createFractionalForecast,
  draftBatch,
  fractionalPlan,
  type LayerRange,
  type Shape,
  sizeOf,
} from "../plan/index.ts";
import type { InputRange } from "./calibration.ts";
import {
  cutAtRefreshes,
  describeLayer,
  type NetworkStep,
  networkSteps,
  refreshPositions,
  requireChain,
  selectLayers,
  traceShapes,
} from "./network.ts";
import type { SourceModel } from "./source/source-model.ts";

export interface ElementwiseOptions {
  /** Shape of what enters the first of the layers, without a batch axis. */
  readonly inputShape: Shape;
  /**
   * Smallest and largest value of an input element; whatever the encoder takes by default, for which there is less room. Whoever encrypts must
   * hold inputs to it: values outside may wrap around unnoticed.
   */
  readonly inputRange?: InputRange | undefined;
  /** As PyCrCNN's configuration files have them. */
  readonly encryptionParameters: SeedEncryptionParameters;
  /** Layers of the source model (0-based), from the smallest to the largest without a gap; all by default. */
  readonly layers?: readonly number[] | undefined;
  /**
   * Layers of the source model before which the key's owner decrypts and encrypts afresh. A Square at such a position is the owner's: it is
   * applied to the decrypted values, exactly, and costs no budget.
   */
  readonly rencryptPositions?: readonly number[] | undefined;
  /** A plan for each layer, so that the values between them can be looked at; by default neighbours are fused where that saves work. */
  readonly separateLayers?: boolean | undefined;
  /** How inputs are encrypted: "symmetric" by default, under the secret key, as the owner's `encryptTensor` does; "public" has more noise. */
  readonly encryption?: "public" | "symmetric" | undefined;
}

/** A plan, to be run on what the one before it yields. */
export interface ElementwisePart {
  readonly plan: BatchPlan;
  /** First and last layer of the source model, inclusive. */
  readonly layers: LayerRange;
  /** Bits of noise budget that are left behind it at least, by the static estimate; 0 where there may be none. */
  readonly budget: number;
}

/** What happens between an encryption and the next decryption. */
export interface ElementwiseSegment {
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Square layers that the owner applies before it encrypts, one after the other. */
  readonly ownerSquares: readonly number[];
  /** In order; none where a square of the owner is the last layer. */
  readonly parts: readonly ElementwisePart[];
}

/** Plain data. */
export interface CompiledElementwise {
  readonly scheme: "bfv";
  /** Parameters, and the base for `createFractionalEncoder`. */
  readonly chosen: ChosenParameters;
  /** What `addKeys` of the owner takes: a key where the parameters allow one and a plan uses it. */
  readonly keys: { readonly relinearization: boolean };
  /** What inputs are held to. */
  readonly inputRange: InputRange | undefined;
  readonly segments: readonly ElementwiseSegment[];
}

/**
 * Compiles layers of a model. Refused is what would give wrong values without anyone noticing, and a product of ciphertexts that leaves no
 * budget; sums that might lose theirs are not, since decryption tells.
 *
 * @throws What `chooseSeedParameters` throws for the parameters; RangeError or TypeError for layers that are no range, and for positions that
 * are no layer's number; CrcnnError UNSUPPORTED_LAYER for a layer in the range, SHAPE_MISMATCH; NO_PARAMETERS where a product's static budget
 * is negative, VALUE_RANGE where values may leave the plain modulus, each with the layer and the remedy.
 */
export function compileElementwise(model: SourceModel, options: ElementwiseOptions): CompiledElementwise {
  const { inputShape, inputRange, encryptionParameters, layers, rencryptPositions = [] } = options;
  const chosen = chooseSeedParameters(encryptionParameters);
  const range = layers === undefined ? model : selectLayers(model, layers);
  let magnitude = inputRange ? Math.max(...inputRange.map(Math.abs)) : Number.POSITIVE_INFINITY;
  const segments = cutAtPositions(range, inputShape, rencryptPositions).map((stretch) => {
    const compiled = compileStretch(range, stretch, magnitude, chosen, options);
    magnitude = compiled.magnitude;
    return compiled.segment;
  });
  const relinearization = segments.some(({ parts }) =>
    parts.some(({ plan }) => plan.stages.some(({ op }) => op === "relinearize")),
  );
  return { scheme: "bfv", chosen, keys: { relinearization }, inputRange, segments };
}

interface Stretch {
  readonly inputShape: Shape;
  readonly ownerSquares: number[];
  readonly steps: NetworkStep[];
}

function cutAtPositions(model: SourceModel, inputShape: Shape, rencryptPositions: readonly number[]): Stretch[] {
  const shapes = traceShapes(model, inputShape);
  cutAtRefreshes(model, rencryptPositions);
  const positions = new Set(refreshPositions(model, rencryptPositions));
  let current: Stretch = { inputShape, ownerSquares: [], steps: [] };
  const stretches = [current];
  const steps = networkSteps(model, shapes);
  requireChain(model, steps, "the representation with one ciphertext an element");
  for (const [i, step] of steps.entries()) {
    const { index, algebra } = step;
    const refreshed = positions.has(index) && steps[i - 1]?.index !== index;
    if (refreshed && current.steps.length > 0) {
      current = { inputShape: shapes[index - model.layers[0].index], ownerSquares: [], steps: [] };
      stretches.push(current);
    }
    if (refreshed && algebra.kind === "square") current.ownerSquares.push(index);
    else current.steps.push(step);
  }
  return stretches;
}

function compileStretch(
  model: SourceModel,
  { inputShape, ownerSquares, steps }: Stretch,
  inputMagnitude: number,
  chosen: ChosenParameters,
  { separateLayers = false, encryption = "symmetric" }: Pick<ElementwiseOptions, "separateLayers" | "encryption">,
): { readonly segment: ElementwiseSegment; readonly magnitude: number } {
  const { parameters, base, relinearization } = chosen;
  const forecast = createFractionalForecast(parameters, base, encryption);
  const groups = separateLayers ? steps.map((step) => [step]) : [steps].filter(({ length }) => length > 0);
  let state = forecast.fresh(sizeOf(inputShape), inputMagnitude ** (2 ** ownerSquares.length));
  let shape = inputShape;
  const parts = groups.map((own, i): ElementwisePart => {
    const plan = fractionalPlan(draftBatch(own, shape), { base, relinearization, last: i === groups.length - 1 });
    for (const stage of plan.stages) {
      const next = forecast.follow(state, stage);
      if (stage.op === "square") {
        requireBudget(model, stage.layers, forecast.margin(state), forecast.margin(next), chosen);
      }
      requireRoom(model, stage.layers, i === 0 && stage === plan.stages[0], forecast.overflow(next));
      state = next;
    }
    shape = plan.outputShape;
    const layers: LayerRange = [own[0].index, own[own.length - 1].index];
    return { plan, layers, budget: Math.max(0, forecast.margin(state)) };
  });
  return { segment: { inputShape, outputShape: shape, ownerSquares, parts }, magnitude: state.magnitude };
}

function nameOf(model: SourceModel, index: number): string {
  const found = model.layers.find((layer) => layer.index === index);
  return found ? describeLayer(found) : `layer ${index}`;
}

function requireBudget(
  model: SourceModel,
  [index]: LayerRange,
  before: number,
  after: number,
  { parameters: { ringDegree, plainModulus } }: ChosenParameters,
): void {
  if (after > 0) return;
  throw new CrcnnError(
    "NO_PARAMETERS",
    `${nameOf(model, index)}: a product of ciphertexts would leave a noise budget of ${after.toFixed(1)} bits (before it: ${before.toFixed(1)}) ` +
      `with m = ${ringDegree} and p = ${plainModulus}; put ${index} among the re-encryption positions, where the key's owner applies the ` +
      "square in the clear, or take a larger m or a smaller p",
  );
}

/** What wraps around or runs together shows no sign of it when it is decrypted. */
function requireRoom(
  model: SourceModel,
  [first, last]: LayerRange,
  onFreshValues: boolean,
  problem: string | undefined,
): void {
  if (problem === undefined) return;
  const refresh = onFreshValues ? "" : `put ${first} among the re-encryption positions, or `;
  throw new CrcnnError("VALUE_RANGE", `${nameOf(model, last)}: ${problem}; ${refresh}take a larger p or m`);
}
