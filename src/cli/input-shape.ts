/** Which image shape a model takes: a saved model does not say, but its layers refuse what does not fit. */

import { type SourceModel, traceShapes } from "../builder/index.ts";
import { CrcnnError } from "../errors/index.ts";
import type { Shape } from "../plan/index.ts";

/** Images are looked for up to this many pixels a side. */
const LARGEST_SIDE = 256;
const CHANNELS = [1, 3];

export function takesShape(model: SourceModel, shape: Shape): boolean {
  try {
    traceShapes(model, shape);
    return true;
  } catch (error) {
    if (error instanceof CrcnnError && error.code === "SHAPE_MISMATCH") return false;
    throw error;
  }
}

/**
 * The shape that a file's images should have: features for a model that begins with a Linear layer, the image's own shape where it
 * fits, else the same with another number of channels, else the smallest square.
 *
 * @returns undefined when none is found.
 */
export function inputShapeFor(model: SourceModel, found: Shape): Shape | undefined {
  const inFeatures = model.layers[0]?.layer.options.inFeatures;
  if (typeof inFeatures === "number") return [inFeatures];
  if (takesShape(model, found)) return found;
  const candidates = CHANNELS.map((channels) => [channels, ...found.slice(-2)]);
  for (let side = 1; side <= LARGEST_SIDE; side++)
    candidates.push(...CHANNELS.map((channels) => [channels, side, side]));
  return candidates.find((shape) => takesShape(model, shape));
}
