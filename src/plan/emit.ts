/** From a lowered network to a Plan: stages become nodes, each common rotation once. */

import type { GiantStep, LoweredAffine, LoweredNetwork, LoweredPool, LoweredStage } from "./lowered.ts";
import type { LayerRange, NodeId, Plan, PlanNode } from "./plan.ts";

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
  dropLevels(source: NodeId, levels: number): NodeId;
  add(nodes: readonly NodeId[]): NodeId;
}

/** Emits all stages. A rescale follows each product, but see `rescaleLast`. */
export function emitPlan(network: LoweredNetwork, options: EmitOptions): Plan {
  const nodes: PlanNode[] = [];
  const layers: number[] = [];
  let layer = network.stages[0]?.layers[0] ?? 0;
  const known = new Map<string, NodeId>();
  const once = (name: string, node: PlanNode): NodeId => {
    let id = known.get(name);
    if (id === undefined) {
      id = emitter.append(node);
      known.set(name, id);
    }
    return id;
  };
  const emitter: Emitter = {
    append(node) {
      layers.push(layer);
      return nodes.push(node) - 1;
    },
    rotate(source, steps) {
      const turned = ((steps % network.slots) + network.slots) % network.slots;
      return turned === 0 ? source : once(`rotate ${source}:${turned}`, { op: "rotate", source, steps: turned });
    },
    dropLevels: (source, levels) => once(`drop ${source}:${levels}`, { op: "dropLevels", source, levels }),
    add: (terms) => terms.reduce((left, right) => emitter.append({ op: "add", left, right })),
  };
  const lastProduct = network.stages.findLastIndex((stage) => stage.kind !== "pool");
  const isRescaled = (stage: number): boolean =>
    network.stages[stage].kind !== "pool" && (stage !== lastProduct || options.rescaleLast);
  const depths = stageDepths(network.stages, isRescaled);
  /** By value: the network's input, then each stage's result. */
  const values: (readonly NodeId[])[] = [
    Array.from({ length: network.input.ciphertexts }, (_, index) => emitter.append({ op: "input", index })),
  ];
  for (const [i, stage] of network.stages.entries()) {
    layer = stage.layers[0];
    const { sources } = stage;
    const inputs = sources.map((value) => {
      const levels = depths[i + 1].start - depths[value].end;
      return levels === 0 ? values[value] : values[value].map((source) => emitter.dropLevels(source, levels));
    });
    values.push(emitStage(emitter, stage, inputs, isRescaled(i), options));
  }
  const { output, outputFactor } = network;
  return {
    slots: network.slots,
    input: network.input,
    nodes,
    layers: Int32Array.from(layers),
    groups: groupsOf(network.stages),
    outputs: values[values.length - 1],
    output: { shape: output.shape, position: output.position, factor: outputFactor },
  };
}

/** Stages that begin with the same layer, as the steps of a polynomial, are one group. */
function groupsOf(stages: readonly LoweredStage[]): LayerRange[] {
  const lasts = new Map<number, number>();
  for (const {
    layers: [first, last],
  } of stages)
    lasts.set(first, Math.max(lasts.get(first) ?? first, last));
  return [...lasts];
}

/** Levels between a network's input and a value: where its stage begins, and where it ends. */
interface Depth {
  readonly start: number;
  readonly end: number;
}

/**
 * By value. Every stage comes as late as those that read it allow: at lower levels its operations are cheaper. What is read at several depths
 * stands at the least of them.
 */
function stageDepths(stages: readonly LoweredStage[], isRescaled: (stage: number) => boolean): Depth[] {
  const earliest = [0];
  for (const [i, { sources }] of stages.entries()) {
    earliest.push(Math.max(...sources.map((value) => earliest[value])) + (isRescaled(i) ? 1 : 0));
  }
  const ends = new Array<number>(stages.length + 1).fill(earliest[stages.length]);
  const depths = new Array<Depth>(stages.length + 1);
  for (let value = stages.length; value > 0; value--) {
    const start = ends[value] - (isRescaled(value - 1) ? 1 : 0);
    depths[value] = { start, end: ends[value] };
    for (const source of stages[value - 1].sources) ends[source] = Math.min(ends[source], start);
  }
  // Fresh inputs have all levels, whether or not the first stage needs them.
  depths[0] = { start: 0, end: 0 };
  return depths;
}

function emitStage(
  emitter: Emitter,
  stage: LoweredStage,
  inputs: readonly (readonly NodeId[])[],
  rescaled: boolean,
  options: EmitOptions,
): NodeId[] {
  switch (stage.kind) {
    case "affine":
      return emitAffine(emitter, stage, inputs, rescaled, options);
    case "pool":
      return emitPool(emitter, stage, inputs[0]);
    case "square":
      return inputs[0].map((source) => {
        const product = emitter.append({ op: "square", source });
        const relinearized = emitter.append({ op: "relinearize", source: product });
        return rescaled ? emitter.append({ op: "rescale", source: relinearized }) : relinearized;
      });
  }
}

function emitAffine(
  emitter: Emitter,
  stage: LoweredAffine,
  inputs: readonly (readonly NodeId[])[],
  rescaled: boolean,
  { foldsBeforeRescale }: EmitOptions,
): NodeId[] {
  return stage.transforms.map((giants, i) => {
    const rescale = (source: NodeId): NodeId => (rescaled ? emitter.append({ op: "rescale", source }) : source);
    const product = emitter.add(giants.map((giant) => emitGiant(emitter, giant, inputs)));
    const folded = foldsBeforeRescale
      ? rescale(emitFolds(emitter, product, stage.folds))
      : emitFolds(emitter, rescale(product), stage.folds);
    return emitBias(emitter, folded, stage.bias[i]);
  });
}

function emitBias(emitter: Emitter, source: NodeId, values: Float64Array): NodeId {
  return values.some((value) => value !== 0) ? emitter.append({ op: "addPlain", source, values }) : source;
}

/** A sum for each of the stage's sources, whose scales differ, then the sum of these. */
function emitGiant(emitter: Emitter, { giant, terms }: GiantStep, inputs: readonly (readonly NodeId[])[]): NodeId {
  let first = 0;
  const sums: NodeId[] = [];
  for (const nodes of inputs) {
    const own = terms.filter(({ input }) => input >= first && input < first + nodes.length);
    const weighted = own.map(({ input, baby, weights }) => ({
      source: emitter.rotate(nodes[input - first], baby),
      weights,
    }));
    if (weighted.length > 0) sums.push(emitter.append({ op: "weightedSum", terms: weighted }));
    first += nodes.length;
  }
  return emitter.rotate(emitter.add(sums), giant);
}

function emitFolds(emitter: Emitter, source: NodeId, folds: readonly (readonly number[])[]): NodeId {
  return folds.reduce((z, steps) => emitter.add([z, ...steps.map((step) => emitter.rotate(z, step))]), source);
}

function emitPool(emitter: Emitter, { sums, folds, bias }: LoweredPool, inputs: readonly NodeId[]): NodeId[] {
  return sums.map((summed, i) => {
    const sum = emitFolds(emitter, emitter.add(summed.map((index) => inputs[index])), folds);
    return emitBias(emitter, sum, bias[i]);
  });
}
