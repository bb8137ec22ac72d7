import type { Layer } from "../../plan/index.ts";

/** A layer of a model as it was saved. */
export interface SourceLayer {
  /** The path to it as PyTorch writes it: `0`, `features.2`. A model that is one bare layer has the path `0`. */
  readonly position: string;
  /** Its number in the order in which the layers run, from 0: what reports and options count by. */
  readonly index: number;
  readonly layer: Layer;
}

/** A model as it was saved: its layers in the order in which they run, before any fusion. */
export interface SourceModel {
  readonly layers: readonly SourceLayer[];
}
