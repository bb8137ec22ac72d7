import type { CrcnnError } from "../../errors/index.ts";
import type { Layer } from "../../plan/index.ts";

/** A layer of a model as it was saved. */
export interface SourceLayer {
  /** The path to it as PyTorch writes it: `0`, `features.2`. A model that is one bare layer has the path `0`. */
  readonly position: string;
  /**
   * Its number in the order in which the layers run, from 0: what reports and options count by. Those of nested Sequentials count one by one,
   * the Sequentials themselves not.
   */
  readonly index: number;
  readonly layer: Layer;
  /** Numbers of the layers whose outputs it takes; {@link MODEL_INPUT} is the model's input. Where omitted, the layer before it alone. */
  readonly inputs?: readonly number[];
  /**
   * Why the layer cannot run encrypted, where it cannot. It is kept, so that the layers before and after it can be used, and its layer throws
   * this error whenever it is asked for anything but its kind.
   */
  readonly refusal?: CrcnnError;
}

/** Stands for the model's input among the numbers of layers. */
export const MODEL_INPUT = -1;

/** A model as it was saved: its layers in an order in which they can run, before any fusion. The last one gives the output. */
export interface SourceModel {
  readonly layers: readonly SourceLayer[];
}
