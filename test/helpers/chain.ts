/** Layers as a model, without any file. */

import type { SourceLayer, SourceModel } from "../../src/builder/index.ts";
import type { Layer } from "../../src/plan/index.ts";

/** A layer, with the numbers of the layers that it reads where that is not the one before. */
export type Placed = readonly [layer: Layer, inputs?: readonly number[]];

export function graphOf(layers: readonly Placed[]): SourceModel {
  return {
    layers: layers.map(
      ([layer, inputs], index): SourceLayer => ({
        position: String(index),
        index,
        layer,
        ...(inputs ? { inputs } : {}),
      }),
    ),
  };
}

/** A model of layers one after the other. */
export function chainOf(layers: readonly Layer[]): SourceModel {
  return graphOf(layers.map((layer) => [layer]));
}
