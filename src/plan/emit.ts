/** From a lowered network to a Plan: stages become nodes, each common rotation once. */

import type { InputPacking } from "./layout.ts";
import type { GiantStep, LoweredAffine, LoweredNetwork, LoweredPool, LoweredStage } from "./lowered.ts";
import type { NodeId, Plan, PlanNode } from "./plan.ts";

export interface EmitOptions {
  /**
   * Folding before the rescale costs one more limb in each rotation, but the rotations' noise is then added at the scale of the product,
   * where it does not count.
   */
  readonly foldsBeforeRescale: boolean;
  /**
   * Whether the last product of the network is rescaled too. With two primes left there is room for it as it is, and a rescale would
   * only add noise; a layer that others will follow needs it.
   */
  readonly rescaleLast: boolean;
}

/** What a stage is emitted with: appends a node, unless the same operation on the same source stands there already. */
interface Emitter {
  append(node: PlanNode): NodeId;
  rotate(source: NodeId, steps: number): NodeId;
  add(nodes: readonly NodeId[]): NodeId;
}

/** Emits all stages. A rescale follows each product, but see `rescaleLast`. */
export function emitPlan(network: LoweredNetwork, options: EmitOptions): Plan {
  const nodes: PlanNode[] = [];
  const layers: number[] = [];
  let layer = network.stages[0]?.layers[0] ?? 0;
  const rotations = new Map<string, NodeId>();
  const emitter: Emitter = {
    append(node) {
      layers.push(layer);
      return nodes.push(node) - 1;
    },
    rotate(source, steps) {
      const turned = ((steps % network.slots) + network.slots) % network.slots;
      if (turned === 0) return source;
      const name = `${source}:${turned}`;
      let id = rotations.get(name);
      if (id === undefined) {
        id = emitter.append({ op: "rotate", source, steps: turned });
        rotations.set(name, id);
      }
      return id;
    },
    add: (terms) => terms.reduce((left, right) => emitter.append({ op: "add", left, right })),
  };
  let current = inputIndices(network.input).map((index) => emitter.append({ op: "input", index }));
  const lastProduct = network.stages.findLastIndex((stage) => stage.kind !== "pool");
  for (const [i, stage] of network.stages.entries()) {
    layer = stage.layers[0];
    current = emitStage(emitter, stage, current, i !== lastProduct || options.rescaleLast, options);
  }
  const { output, outputFactor } = network;
  return {
    slots: network.slots,
    input: network.input,
    nodes,
    layers: Int32Array.from(layers),
    groups: network.stages.map((stage) => stage.layers),
    outputs: current,
    output: { shape: output.shape, position: output.position, factor: outputFactor },
  };
}

function inputIndices({ ciphertexts }: InputPacking): number[] {
  return Array.from({ length: ciphertexts }, (_, index) => index);
}

function emitStage(
  emitter: Emitter,
  stage: LoweredStage,
  inputs: readonly NodeId[],
  rescaled: boolean,
  options: EmitOptions,
): NodeId[] {
  switch (stage.kind) {
    case "affine":
      return emitAffine(emitter, stage, inputs, rescaled, options);
    case "pool":
      return emitPool(emitter, stage, inputs);
    case "square":
      return inputs.map((source) => {
        const product = emitter.append({ op: "square", source });
        const relinearized = emitter.append({ op: "relinearize", source: product });
        return rescaled ? emitter.append({ op: "rescale", source: relinearized }) : relinearized;
      });
  }
}

function emitAffine(
  emitter: Emitter,
  stage: LoweredAffine,
  inputs: readonly NodeId[],
  rescaled: boolean,
  { foldsBeforeRescale }: EmitOptions,
): NodeId[] {
  return stage.transforms.map((giants, i) => {
    const rescale = (source: NodeId): NodeId => (rescaled ? emitter.append({ op: "rescale", source }) : source);
    const product = emitter.add(giants.map((giant) => emitGiant(emitter, giant, inputs)));
    const folded = foldsBeforeRescale
      ? rescale(emitFolds(emitter, product, stage.folds))
      : emitFolds(emitter, rescale(product), stage.folds);
    const bias = stage.bias[i];
    return bias.some((value) => value !== 0)
      ? emitter.append({ op: "addPlain", source: folded, values: bias })
      : folded;
  });
}

function emitGiant(emitter: Emitter, { giant, terms }: GiantStep, inputs: readonly NodeId[]): NodeId {
  const weighted = terms.map(({ input, baby, weights }) => ({ source: emitter.rotate(inputs[input], baby), weights }));
  return emitter.rotate(emitter.append({ op: "weightedSum", terms: weighted }), giant);
}

function emitFolds(emitter: Emitter, source: NodeId, folds: readonly (readonly number[])[]): NodeId {
  return folds.reduce((z, steps) => emitter.add([z, ...steps.map((step) => emitter.rotate(z, step))]), source);
}

function emitPool(emitter: Emitter, { sums, folds }: LoweredPool, inputs: readonly NodeId[]): NodeId[] {
  return sums.map((summed) => emitFolds(emitter, emitter.add(summed.map((index) => inputs[index])), folds));
}
