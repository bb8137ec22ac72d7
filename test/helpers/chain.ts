/** Layers as a model, without any file. */

import type { SourceModel } from "../../src/builder/index.ts";
import type { Layer } from "../../src/plan/index.ts";

/** A model of layers one after the other. */
export function chainOf(layers: readonly Layer[]): SourceModel {
  return { layers: layers.map((layer, index) => ({ position: String(index), index, layer })) };
}
