/** Levels and scales of a Plan's nodes under given parameters: where each product lands, exactly. */

import type { RlweParameters } from "../rlwe/index.ts";
import { type NodeId, type Plan, sourcesOf } from "./plan.ts";

/** The two scales that are chosen; all others follow. */
export interface ScalePolicy {
  /** Of fresh inputs, and of every affine stage after its rescale: weights are encoded at the scale that makes it so. */
  readonly messageScale: number;
  /** Of the last product of the network, which is not rescaled. */
  readonly outputScale: number;
}

/** By node. */
export interface Schedule {
  readonly levels: Int32Array;
  readonly scales: Float64Array;
  /** Scale of the plaintext operands of `weightedSum` and `addPlain`; 0 elsewhere. */
  readonly operandScales: Float64Array;
}

/** Number of levels that the longest path to an output takes. */
export function planDepth(plan: Plan): number {
  const depths = new Int32Array(plan.nodes.length);
  for (const [id, node] of plan.nodes.entries()) {
    const deepest = sourcesOf(node).reduce((depth, source) => Math.max(depth, depths[source]), 0);
    depths[id] = deepest + (node.op === "rescale" ? 1 : node.op === "dropLevels" ? node.levels : 0);
  }
  return plan.outputs.reduce((depth, output) => Math.max(depth, depths[output]), 0);
}

/** For each `weightedSum`, whether its product meets a rescale before it is used otherwise. */
function findRescaled(plan: Plan): Uint8Array {
  const rescaled = new Uint8Array(plan.nodes.length);
  for (let id = plan.nodes.length - 1; id >= 0; id--) {
    const node = plan.nodes[id];
    const passesOn = node.op === "rescale" || (rescaled[id] === 1 && (node.op === "rotate" || node.op === "add"));
    if (passesOn) for (const source of sourcesOf(node)) rescaled[source] = 1;
  }
  return rescaled;
}

/** Where a plan's inputs come in. */
export interface InputState {
  readonly level: number;
  readonly scale: number;
}

/**
 * The nodes of the last product and what follows it, where that product is an affine one: those whose scale is the policy's
 * `outputScale`.
 */
export function finalStretch(plan: Plan): NodeId[] {
  const rescaled = findRescaled(plan);
  const found = new Uint8Array(plan.nodes.length);
  for (const [id, node] of plan.nodes.entries()) {
    if (node.op === "weightedSum") found[id] = rescaled[id] ? 0 : 1;
    else if (node.op !== "rescale" && node.op !== "square") found[id] = sourcesOf(node).some((s) => found[s]) ? 1 : 0;
  }
  return plan.nodes.flatMap((_, id) => (found[id] ? [id] : []));
}

/** Computes the schedule. */
export function schedulePlan(
  plan: Plan,
  { dataPrimes }: Pick<RlweParameters, "dataPrimes">,
  policy: ScalePolicy,
  input: InputState,
): Schedule {
  const count = plan.nodes.length;
  const schedule = {
    levels: new Int32Array(count),
    scales: new Float64Array(count),
    operandScales: new Float64Array(count),
  };
  const { levels, scales, operandScales } = schedule;
  const rescaled = findRescaled(plan);
  const follow = (id: NodeId, source: NodeId): void => {
    levels[id] = levels[source];
    scales[id] = scales[source];
  };
  for (const [id, node] of plan.nodes.entries()) {
    switch (node.op) {
      case "input":
        levels[id] = input.level;
        scales[id] = input.scale;
        break;
      case "weightedSum": {
        const { source } = node.terms[0];
        levels[id] = levels[source];
        scales[id] = rescaled[id] ? policy.messageScale * dataPrimes[levels[id]] : policy.outputScale;
        operandScales[id] = scales[id] / scales[source];
        break;
      }
      case "square":
        levels[id] = levels[node.source];
        scales[id] = scales[node.source] ** 2;
        break;
      case "rescale":
        levels[id] = levels[node.source] - 1;
        scales[id] = scales[node.source] / dataPrimes[levels[node.source]];
        break;
      case "dropLevels":
        follow(id, node.source);
        levels[id] -= node.levels;
        break;
      case "add":
        follow(id, node.left);
        break;
      case "addPlain":
        follow(id, node.source);
        operandScales[id] = scales[id];
        break;
      case "rotate":
      case "relinearize":
        follow(id, node.source);
        break;
    }
  }
  return schedule;
}

/** The evaluation keys that a scheduled plan uses, each with the highest level at which it does. */
export interface KeyDemand {
  /** By rotation steps in [1, slots), ascending. */
  readonly rotations: readonly { readonly steps: number; readonly level: number }[];
  /** Level of the relinearization key, or -1 where none is needed. */
  readonly relinearization: number;
}

/** The level of every key, those of rotations first. */
export function keyLevels({ rotations, relinearization }: KeyDemand): number[] {
  const levels = rotations.map(({ level }) => level);
  return relinearization < 0 ? levels : [...levels, relinearization];
}

export function demandKeys(plan: Plan, { levels }: Schedule): KeyDemand {
  const byStep = new Map<number, number>();
  let relinearization = -1;
  for (const [id, node] of plan.nodes.entries()) {
    if (node.op === "rotate") byStep.set(node.steps, Math.max(byStep.get(node.steps) ?? 0, levels[id]));
    if (node.op === "relinearize") relinearization = Math.max(relinearization, levels[id]);
  }
  const rotations = [...byStep].sort(([left], [right]) => left - right).map(([steps, level]) => ({ steps, level }));
  return { rotations, relinearization };
}
