/** A model with the shapes that an input of one shape takes on its way through it. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type LayerAlgebra, type Shape, type Tensor } from "../plan/index.ts";
import type { SourceLayer, SourceModel } from "./torch/index.ts";

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

/**
 * Shapes before each layer, and after the last.
 *
 * @throws CrcnnError SHAPE_MISMATCH naming the layer that does not take what reaches it.
 */
export function traceShapes(model: SourceModel, inputShape: Shape): Shape[] {
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
 * First layers of the stretches between refreshes, and the end.
 *
 * @throws RangeError for a position that is no layer's number.
 */
export function segmentBounds(positions: readonly number[], layers: number): number[] {
  for (const position of positions) {
    if (!Number.isInteger(position) || position < 0 || position >= layers) {
      throw new RangeError(`rencryptPositions must hold layer numbers from 0 to ${layers - 1}, got ${position}`);
    }
  }
  // A refresh before layer 0 would repeat the encryption that has just been made.
  const inner = [...new Set(positions)].filter((position) => position > 0).sort((left, right) => left - right);
  return [0, ...inner, layers];
}

/** The model in the clear, in double precision. */
export function runModel(model: SourceModel, input: Tensor): Tensor {
  traceShapes(model, input.shape);
  return model.layers.reduce((tensor, { layer }) => layer.forward(tensor), input);
}
