/** A model cut where its key's owner encrypts afresh, with what calibration inputs become on their way. */

import { CrcnnError } from "../errors/index.ts";
import type { OwnerLayer, Shape, Tensor } from "../plan/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";
import { type NetworkStep, networkSteps, requireSupported, runModel, traceShapes } from "./network.ts";
import { cutForOwner, type SharedStretch } from "./owner-stretches.ts";
import type { SourceModel } from "./source/source-model.ts";

/** The layers between two encryptions: those that run encrypted, then those that the key's owner applies. */
export interface ModelStretch {
  readonly inputShape: Shape;
  readonly steps: readonly NetworkStep[];
  /** What follows decryption. */
  readonly ownerLayers: readonly OwnerLayer[];
  /** The calibration inputs as they reach it. */
  readonly calibration: readonly Tensor[];
}

/** A model's stretches, and the largest output of the calibration inputs. */
export interface CutModel {
  readonly stretches: readonly ModelStretch[];
  readonly largestOutput: number;
}

/**
 * @throws CrcnnError SHAPE_MISMATCH when the model does not take the input shape, UNSUPPORTED_LAYER for an activation that nobody was chosen for,
 * UNSUPPORTED_MODEL when outputs are all zero or leave the range of doubles, and as {@link cutForOwner}; RangeError for a re-encryption position that is no layer's number.
 */
export function cutModel(
  model: SourceModel,
  {
    inputShape,
    samples,
    rencryptPositions,
    activations,
  }: Pick<ResolvedOptions, "inputShape" | "samples" | "rencryptPositions" | "activations">,
): CutModel {
  const stretches: ModelStretch[] = [];
  const outputs: (readonly Tensor[])[] = [];
  let calibration = samples;
  for (const { encrypted, owner, ...stretch } of traceStretches(model, {
    inputShape,
    rencryptPositions,
    activations,
  })) {
    stretches.push({ ...stretch, calibration });
    const results = calibration.map((sample) => runModel(encrypted, sample));
    outputs.push(results);
    calibration = owner.layers.length === 0 ? results : results.map((sample) => runModel(owner, sample));
  }
  return { stretches, largestOutput: requireOutputs(outputs) };
}

/** A stretch without inputs to measure it with, and the models that it is made of. */
export type TracedStretch = Omit<ModelStretch, "calibration"> & Pick<SharedStretch, "encrypted" | "owner">;

/** The stretches as they are before anything is measured. @throws as {@link cutModel}, but for what only values show. */
export function traceStretches(
  model: SourceModel,
  {
    inputShape,
    rencryptPositions,
    activations,
  }: Pick<ResolvedOptions, "inputShape" | "rencryptPositions" | "activations">,
): TracedStretch[] {
  if (activations !== "client") requireSupported(model);
  traceShapes(model, inputShape);
  let shape = inputShape;
  return cutForOwner(model, rencryptPositions).map(({ encrypted, owner, ownerLayers }) => {
    const shapes = traceShapes(encrypted, shape);
    const traced = { inputShape: shape, steps: networkSteps(encrypted, shapes), ownerLayers, encrypted, owner };
    shape = traceShapes(owner, shapes[shapes.length - 1]).slice(-1)[0];
    return traced;
  });
}

/**
 * The largest output of the calibration inputs.
 *
 * @throws CrcnnError UNSUPPORTED_MODEL where a segment's outputs are all zero or leave the range of doubles: no error can be relative to them.
 */
function requireOutputs(byStretch: readonly (readonly Tensor[])[]): number {
  let largest = 0;
  for (const outputs of byStretch) {
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
