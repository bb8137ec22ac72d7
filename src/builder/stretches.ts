/** A model cut where its key's owner encrypts afresh, with what calibration inputs become on their way. */

import { CrcnnError } from "../errors/index.ts";
import type { OwnerLayer, Shape, Tensor } from "../plan/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";
import { type NetworkStep, networkSteps, requireSupported, runModel, traceShapes } from "./network.ts";
import { cutForOwner } from "./owner-stretches.ts";
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
  if (activations !== "client") requireSupported(model);
  traceShapes(model, inputShape);
  let shape = inputShape;
  let calibration = samples;
  const stretches: ModelStretch[] = [];
  const outputs: (readonly Tensor[])[] = [];
  for (const { encrypted, owner, ownerLayers } of cutForOwner(model, rencryptPositions)) {
    const shapes = traceShapes(encrypted, shape);
    stretches.push({ inputShape: shape, steps: networkSteps(encrypted, shapes), ownerLayers, calibration });
    const results = calibration.map((sample) => runModel(encrypted, sample));
    outputs.push(results);
    shape = shapes[shapes.length - 1];
    if (owner.layers.length === 0) {
      calibration = results;
    } else {
      const applied = traceShapes(owner, shape);
      shape = applied[applied.length - 1];
      calibration = results.map((sample) => runModel(owner, sample));
    }
  }
  return { stretches, largestOutput: requireOutputs(outputs) };
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
