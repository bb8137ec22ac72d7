/** Bytes that operations move, estimated from the counts of kernel calls by which the planner prices a Plan. */

import { estimateCost, type KernelCounts, type PlanNode } from "crcnn/plan";
import type { RlweParameters } from "crcnn/rlwe";

const WORD_BYTES = 4;
/**
 * Limbs that one call reads and writes: a transform its limb twice, and the roots with their quotients; a product two factors, its sum staying
 * in registers; a pass two limbs in and one out.
 */
const LIMBS = { transform: 4, product: 2, pass: 3 };

export function bytesMoved(
  ringDegree: number,
  { transforms = 0, products = 0, keyProducts = 0, passes = 0 }: Partial<KernelCounts>,
): number {
  const limbs = transforms * LIMBS.transform + (products + keyProducts) * LIMBS.product + passes * LIMBS.pass;
  return limbs * ringDegree * WORD_BYTES;
}

/** Counts of a few operations at the top level; rescales must be last. */
export function countNodes(parameters: RlweParameters, nodes: readonly PlanNode[]): KernelCounts {
  const top = parameters.dataPrimes.length - 1;
  const nothing = new Int32Array();
  const slots = parameters.ringDegree / 2;
  const plan = {
    slots,
    input: { shape: [], slots, ciphertexts: 1, source: nothing },
    nodes,
    layers: nothing,
    groups: [],
    outputs: [],
    output: { shape: [], position: nothing, factor: 1 },
  };
  const schedule = {
    levels: Int32Array.from(nodes, ({ op }) => (op === "rescale" ? top - 1 : top)),
    scales: new Float64Array(nodes.length),
    operandScales: new Float64Array(nodes.length),
  };
  return estimateCost(plan, parameters, schedule, { rotations: [], relinearization: -1 }).counts;
}
