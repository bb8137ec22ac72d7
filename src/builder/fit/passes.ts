/** Calibration inputs on their way through a model, which can be taken up again at any layer. */

import type { Layer, Tensor } from "../../plan/index.ts";
import { readsOf } from "../network.ts";
import type { SourceModel } from "../source/source-model.ts";

/** What is there before a layer: the values that it and later layers read, by number, each for all inputs. */
export interface Pass {
  /** Place of the layer in the list. */
  readonly at: number;
  readonly values: ReadonlyMap<number, readonly Tensor[]>;
}

export interface Passes {
  readonly start: Pass;
  /** What a layer reads where the pass stands; the layer has one input. */
  inputs(pass: Pass): readonly Tensor[];
  /** Behind the layer where the pass stands, or what is put in its place. */
  advance(pass: Pass, layer: Layer): Pass;
  /** At the model's end. */
  outputs(pass: Pass): readonly Tensor[];
}

export function createPasses(model: SourceModel, inputs: readonly Tensor[]): Passes {
  const reads = readsOf(model);
  const end = model.layers.length;
  /** By value, the last layer that reads it. */
  const lastRead = new Map<number, number>([[end, end]]);
  for (const [at, values] of reads.entries()) for (const value of values) lastRead.set(value, at);
  const valuesAt = ({ values }: Pass, value: number): readonly Tensor[] => values.get(value) as readonly Tensor[];
  return {
    start: { at: 0, values: new Map([[0, inputs]]) },
    inputs: (pass) => valuesAt(pass, reads[pass.at][0]),
    advance(pass, layer) {
      const { at } = pass;
      const operands = reads[at].map((value) => valuesAt(pass, value));
      const results = inputs.map((_, i) => layer.forward(...operands.map((tensors) => tensors[i])));
      const kept = [...pass.values].filter(([value]) => (lastRead.get(value) ?? -1) > at);
      return { at: at + 1, values: new Map([...kept, [at + 1, results]]) };
    },
    outputs: (pass) => valuesAt(pass, end),
  };
}
