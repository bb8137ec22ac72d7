/** What a Plan costs: transforms, products, bytes and seconds, from counts of kernel calls and the price of each. */

import type { RlweParameters } from "../rlwe/index.ts";
import { planHoisting } from "./hoisting.ts";
import {
  countDecompose,
  countDivide,
  countKeyProduct,
  countLower,
  type KernelCounts,
  type MachineCosts,
  microseconds,
  none,
  plus,
  times,
  WASM_COSTS,
} from "./kernel-counts.ts";
import type { Plan } from "./plan.ts";
import type { KeyDemand, Schedule } from "./schedule.ts";
import type { SlotCosts } from "./slot-cost.ts";

export { type KernelCounts, type MachineCosts, TYPESCRIPT_COSTS, WASM_COSTS } from "./kernel-counts.ts";

/** Bytes of one evaluation key on the wire: half of it, since the uniform half travels as a seed. */
export function keyBytes(
  { ringDegree, dataPrimes, specialPrimes, digitPrimes = specialPrimes.length }: RlweParameters,
  level: number,
): number {
  const bits = [...dataPrimes.slice(0, level + 1), ...specialPrimes].reduce(
    (sum, p) => sum + Math.ceil(Math.log2(p)),
    0,
  );
  return (Math.ceil((level + 1) / digitPrimes) * bits * ringDegree) / 8;
}

/** What one evaluation of a plan takes. */
export interface PlanCost {
  readonly counts: KernelCounts;
  readonly seconds: number;
  readonly rotations: number;
  readonly weightedTerms: number;
  readonly keys: number;
  readonly keyBytes: number;
}

/** Counts a scheduled plan as the encrypted interpreter runs it: shared decompositions, divisions put off (`hoisting.ts`). */
export function estimateCost(
  plan: Plan,
  parameters: RlweParameters,
  { levels }: Schedule,
  demand: KeyDemand,
  machine: MachineCosts = WASM_COSTS,
): PlanCost {
  const alpha = parameters.specialPrimes.length;
  const { rotations: groups, raised, transforms, transformed } = planHoisting(plan);
  /** Nodes whose plain form exists, made so or lowered for some use. */
  const plain = new Set<number>();
  let counts = none;
  let rotations = 0;
  let weightedTerms = 0;
  const spend = (spent: KernelCounts): void => {
    counts = plus(counts, spent);
  };
  const needPlain = (id: number): void => {
    if (!plain.has(id)) spend(times(2, countLower(levels[id], alpha)));
    plain.add(id);
  };
  /** What all rotations of a node share. */
  const decomposeNode = (source: number): void => {
    const level = levels[source];
    if (!plain.has(source)) spend(countLower(level, alpha));
    spend(plus(countDecompose(level, alpha), { ...none, passes: level + 1 }));
  };
  for (const [id, node] of plan.nodes.entries()) {
    const level = levels[id];
    const limbs = level + 1 + (raised[id] ? alpha : 0);
    if (!raised[id]) plain.add(id);
    switch (node.op) {
      case "rotate":
        rotations++;
        if (!transformed[id] && groups.get(node.source)?.[0] === id) decomposeNode(node.source);
        spend(countKeyProduct(level, alpha));
        break;
      case "relinearize":
        needPlain(node.source);
        spend(
          plus(countDecompose(level, alpha), plus(countKeyProduct(level, alpha), { ...none, passes: 2 * (level + 1) })),
        );
        break;
      case "weightedSum":
        for (const { node: source, steps } of transforms.get(id)?.sources ?? []) {
          if (steps.some((step) => step !== 0)) decomposeNode(source);
        }
        weightedTerms += node.terms.length;
        spend({ ...none, products: 2 * limbs * node.terms.length });
        break;
      case "square":
        needPlain(node.source);
        spend({ ...none, products: 4 * limbs });
        break;
      case "rescale":
        spend(times(2, countDivide(level + 1, plain.has(node.source) ? 1 : alpha + 1)));
        break;
      case "add":
        spend({ ...none, passes: 2 * limbs });
        break;
      case "addPlain":
        needPlain(node.source);
        spend({ ...none, passes: limbs });
        break;
      case "dropLevels":
        needPlain(node.source);
        plain.add(id);
        break;
      case "input":
        break;
    }
  }
  for (const output of plan.outputs) needPlain(output);
  const keyLevels = demand.rotations.map(({ level }) => level);
  if (demand.relinearization >= 0) keyLevels.push(demand.relinearization);
  return {
    counts,
    seconds: microseconds(counts, parameters.ringDegree, machine) / 1e6,
    rotations,
    weightedTerms,
    keys: keyLevels.length,
    keyBytes: keyLevels.reduce((sum, level) => sum + keyBytes(parameters, level), 0),
  };
}

/**
 * The prices by which a layout search compares, for a ring degree and digit size. Levels are counted in rescales to come; the two
 * primes that stay are below them.
 */
export function slotCosts(ringDegree: number, alpha: number, machine: MachineCosts = WASM_COSTS): SlotCosts {
  const price =
    (counts: (level: number) => KernelCounts) =>
    (rescales: number): number =>
      microseconds(counts(rescales + 1), ringDegree, machine);
  const decompose = price((level) => countDecompose(level, alpha));
  const hoistedRotation = price((level) => countKeyProduct(level, alpha));
  const rotation = (level: number): number =>
    decompose(level) + hoistedRotation(level) + price((l) => countLower(l, alpha))(level);
  return {
    decompose,
    hoistedRotation,
    // A giant step or a fold: one of its halves is divided by P so that it can be decomposed.
    rotation,
    diagonal: price((level) => ({ ...none, products: 2 * (level + 1 + alpha) })),
    rescale: price((level) => times(2, countDivide(level, alpha + 1))),
    square: price((level) =>
      plus(countDecompose(level, alpha), plus(countKeyProduct(level, alpha), { ...none, products: 4 * (level + 1) })),
    ),
    // Making, sending and reading a key is paid once a session; a twentieth of a rotation keeps their number in check.
    key: (level) => rotation(level) / 20,
    // One more limb in everything above it, and bits that precision would rather have: about two rotations in a network of fifty.
    extraLevel: 2 * rotation(4),
  };
}
