/** A model with the shapes that an input of one shape takes on its way through it. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type LayerAlgebra, type Shape, type Tensor } from "../plan/index.ts";
import type { SourceLayer, SourceModel } from "./source/source-model.ts";

/** A layer as the planner sees it. */
export interface NetworkStep {
  /** The source model's layer. */
  readonly index: number;
  readonly algebra: LayerAlgebra;
}

/** A name for messages: `layer 3 (Conv2d)`. */
export function describeLayer({ index, layer }: SourceLayer): string {
  return `layer ${index} (${layer.kind})`;
}

/** @throws CrcnnError UNSUPPORTED_LAYER for the first layer that cannot run encrypted. */
export function requireSupported(model: SourceModel): void {
  const refused = model.layers.find(({ refusal }) => refusal !== undefined);
  if (refused?.refusal) throw refused.refusal;
}

/**
 * A stretch of a model: what stands outside of it may be unsupported. Layers keep their numbers.
 *
 * @param numbers ascending without a gap, as `[0, 1, 2, 3]`.
 * @throws TypeError or RangeError for anything else, and for a number that is no layer's.
 */
export function selectLayers(model: SourceModel, numbers: readonly number[]): SourceModel {
  if (!Array.isArray(numbers)) throw new TypeError(`layers must be a list of layer numbers, got ${String(numbers)}`);
  const [first] = numbers;
  const start = model.layers.findIndex(({ index }) => index === first);
  const layers = model.layers.slice(start, start + numbers.length);
  if (start >= 0 && layers.length === numbers.length && layers.every(({ index }, i) => index === numbers[i])) {
    return { layers };
  }
  const [from, to] = [model.layers[0], model.layers[model.layers.length - 1]].map((layer) => layer.index);
  throw new RangeError(
    `layers must be numbers from ${from} to ${to}, ascending without a gap, as [0, 1], got [${numbers.join(", ")}]`,
  );
}

/**
 * Shapes before each layer, and after the last.
 *
 * @throws CrcnnError SHAPE_MISMATCH naming the layer that does not take what reaches it, UNSUPPORTED_LAYER.
 */
export function traceShapes(model: SourceModel, inputShape: Shape): Shape[] {
  requireSupported(model);
  const shapes: Shape[] = [inputShape];
  for (const source of model.layers) {
    const shape = shapes[shapes.length - 1];
    try {
      shapes.push(source.layer.outputShape(shape));
    } catch (error) {
      if (!(error instanceof CrcnnError)) throw error;
      const input = `an input of shape ${formatShape(inputShape)}`;
      throw new CrcnnError(error.code, `${describeLayer(source)} with ${input}: ${error.message}`, { cause: error });
    }
  }
  return shapes;
}

/** The algebra of the layers `first` … `last - 1`. */
export function networkSteps(model: SourceModel, shapes: readonly Shape[], first: number, last: number): NetworkStep[] {
  return model.layers
    .slice(first, last)
    .map(({ index, layer }, i) => ({ index, algebra: layer.algebra(shapes[first + i]) }));
}

/**
 * Where the stretches between refreshes begin in the list of layers, and its end.
 *
 * @throws RangeError for a position that is no layer's number.
 */
export function segmentBounds({ layers }: SourceModel, positions: readonly number[]): number[] {
  const first = layers[0].index;
  for (const position of positions) {
    if (!Number.isInteger(position) || position < first || position >= first + layers.length) {
      throw new RangeError(
        `rencryptPositions must hold layer numbers from ${first} to ${first + layers.length - 1}, got ${position}`,
      );
    }
  }
  // A refresh before the first layer would repeat the encryption that has just been made.
  const inner = [...new Set(positions)].map((position) => position - first).filter((offset) => offset > 0);
  return [0, ...inner.sort((left, right) => left - right), layers.length];
}

/** The model in the clear, in double precision. */
export function runModel(model: SourceModel, input: Tensor): Tensor {
  traceShapes(model, input.shape);
  return model.layers.reduce((tensor, { layer }) => layer.forward(tensor), input);
}
