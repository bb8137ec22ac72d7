/** A model cut where its key's owner encrypts afresh, with what calibration inputs become on their way. */

import { CrcnnError } from "../errors/index.ts";
import type { Shape, Tensor } from "../plan/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";
import { cutAtRefreshes, type NetworkStep, networkSteps, runModel, traceShapes } from "./network.ts";
import type { SourceModel } from "./torch/index.ts";

/** The layers between two encryptions. */
export interface ModelStretch {
  readonly inputShape: Shape;
  readonly steps: readonly NetworkStep[];
  /** The calibration inputs as they reach it. */
  readonly calibration: readonly Tensor[];
}

/** A model's stretches, and the largest output of the calibration inputs. */
export interface CutModel {
  readonly stretches: readonly ModelStretch[];
  readonly largestOutput: number;
}

/**
 * @throws CrcnnError SHAPE_MISMATCH when the model does not take the input shape, UNSUPPORTED_MODEL when outputs are all zero or leave the range
 * of doubles; RangeError for a re-encryption position that is no layer's number.
 */
export function cutModel(
  model: SourceModel,
  { inputShape, samples, rencryptPositions }: Pick<ResolvedOptions, "inputShape" | "samples" | "rencryptPositions">,
): CutModel {
  traceShapes(model, inputShape);
  let shape = inputShape;
  let calibration = samples;
  const stretches: ModelStretch[] = [];
  for (const stretch of cutAtRefreshes(model, rencryptPositions)) {
    const shapes = traceShapes(stretch, shape);
    stretches.push({ inputShape: shape, steps: networkSteps(stretch, shapes), calibration });
    shape = shapes[shapes.length - 1];
    calibration = calibration.map((sample) => runModel(stretch, sample));
  }
  const outputs = [...stretches.slice(1).map((stretch) => stretch.calibration), calibration];
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
