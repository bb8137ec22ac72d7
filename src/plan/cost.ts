/** What a Plan costs: transforms, products, bytes and seconds, from counts of kernel calls and the price of each. */

import { type RlweParameters, transformPart } from "../rlwe/index.ts";
import { planHoisting, type Transform } from "./hoisting.ts";
import {
  countDecompose,
  countDivide,
  countKeyProduct,
  countLower,
  countRaise,
  type KernelCounts,
  type MachineCosts,
  microseconds,
  none,
  plus,
  times,
  WASM_COSTS,
} from "./kernel-counts.ts";
import type { NodeId, Plan } from "./plan.ts";
import { type KeyDemand, keyLevels, type Schedule } from "./schedule.ts";
import type { SlotCosts } from "./slot-cost.ts";

export { type KernelCounts, type MachineCosts, type SumCosts, WASM_COSTS } from "./kernel-counts.ts";

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

/** Bytes of one polynomial at a level on the wire. */
export function polynomialBytes({ ringDegree, dataPrimes }: RlweParameters, level: number): number {
  const bits = dataPrimes.slice(0, level + 1).reduce((sum, prime) => sum + Math.ceil(Math.log2(prime)), 0);
  return (bits * ringDegree) / 8;
}

/** Bytes on the wire of all evaluation keys. */
export function demandBytes(parameters: RlweParameters, demand: KeyDemand): number {
  return keyLevels(demand).reduce((sum, level) => sum + keyBytes(parameters, level), 0);
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

/** Counts a scheduled plan as the encrypted interpreter runs it, by node: shared decompositions, divisions put off (`hoisting.ts`). */
export function countNodes(plan: Plan, { specialPrimes }: RlweParameters, { levels }: Schedule): KernelCounts[] {
  const alpha = specialPrimes.length;
  const { rotations: groups, raised, transforms, transformed } = planHoisting(plan);
  /** Nodes whose plain form exists, made so or lowered for some use, and those whose raised form does. */
  const [plain, lifted] = [new Set<number>(), new Set<number>()];
  const counts: KernelCounts[] = [];
  let current = none;
  const spend = (spent: KernelCounts): void => {
    current = plus(current, spent);
  };
  const needPlain = (id: number): void => {
    if (!plain.has(id)) spend(times(2, countLower(levels[id], alpha)));
    plain.add(id);
  };
  const needRaised = (id: number): void => {
    if (!lifted.has(id)) spend(countRaise(levels[id]));
    lifted.add(id);
  };
  /** What all uses of a node in rotations and transforms share. */
  const prepareNode = (source: number, steps: readonly number[]): void => {
    const level = levels[source];
    const turns = steps.some((step) => step !== 0);
    if (plain.has(source)) spend(countRaise(level));
    else if (turns) spend(countLower(level, alpha));
    if (turns) spend(countDecompose(level, alpha));
  };
  const passes = new Map([...transforms.values()].flatMap((transform) => countSums(transform)));
  for (const [id, node] of plan.nodes.entries()) {
    const level = levels[id];
    const limbs = level + 1 + (raised[id] ? alpha : 0);
    (raised[id] ? lifted : plain).add(id);
    switch (node.op) {
      case "rotate":
        if (!transformed[id] && groups.get(node.source)?.[0] === id) prepareNode(node.source, [node.steps]);
        spend(countKeyProduct(level, alpha));
        break;
      case "relinearize":
        needPlain(node.source);
        spend(plus(countDecompose(level, alpha), plus(countKeyProduct(level, alpha), countRaise(level))));
        break;
      case "weightedSum":
        for (const { node: source, steps } of transforms.get(id)?.sources ?? []) prepareNode(source, steps);
        if (!transformed[id]) for (const { source } of node.terms) (raised[id] ? needRaised : needPlain)(source);
        spend({ ...none, products: 2 * limbs * node.terms.length, reductions: 2 * limbs * (passes.get(id) ?? 1) });
        break;
      case "square":
        needPlain(node.source);
        spend({ ...none, products: 4 * limbs, reductions: 3 * limbs });
        break;
      case "rescale":
        spend(times(2, countDivide(level + 1, plain.has(node.source) ? 1 : alpha + 1)));
        break;
      case "add":
        for (const source of [node.left, node.right]) (raised[id] ? needRaised : needPlain)(source);
        spend({ ...none, passes: 2 * limbs });
        break;
      case "addPlain":
        needPlain(node.source);
        // The other component is copied.
        spend({ ...none, passes: 2 * limbs });
        break;
      case "dropLevels":
        needPlain(node.source);
        spend({ ...none, passes: 2 * limbs });
        break;
      case "input":
        break;
    }
    // Results are plain: the last node of all divides what is not.
    if (id === plan.nodes.length - 1) for (const output of plan.outputs) needPlain(output);
    counts.push(current);
    current = none;
  }
  return counts;
}

/** In how many goes each sum of a transform is made: rotations are there a few at a time. */
function countSums({ sources, sums, terms }: Transform): [NodeId, number][] {
  const firsts: number[] = [];
  let rotations = 0;
  for (const { steps } of sources) {
    firsts.push(rotations);
    rotations += steps.length;
  }
  return sums.map((id, i) => {
    const parts = terms[i].map(({ source, step }) => transformPart(firsts[source] + step, rotations));
    return [id, new Set(parts).size];
  });
}

/** @param machine The prices that plans are chosen by, or those that `calibrateCosts` measured. */
export function estimateCost(
  plan: Plan,
  parameters: RlweParameters,
  schedule: Schedule,
  demand: KeyDemand,
  machine: MachineCosts = WASM_COSTS,
): PlanCost {
  const counts = countNodes(plan, parameters, schedule).reduce(plus, none);
  return {
    counts,
    seconds: microseconds(counts, parameters.ringDegree, machine) / 1e6,
    rotations: plan.nodes.filter(({ op }) => op === "rotate").length,
    weightedTerms: plan.nodes.reduce((sum, node) => sum + (node.op === "weightedSum" ? node.terms.length : 0), 0),
    keys: keyLevels(demand).length,
    keyBytes: demandBytes(parameters, demand),
  };
}

/**
 * Rotations that one more key is worth. Making, sending and reading it is paid once a session: a twentieth keeps their number in check, and three
 * have fewer keys even where that takes more rotations, down to what folds and giant steps share.
 */
export const KEY_WORTH: Readonly<Record<"time" | "bytes", number>> = { time: 1 / 20, bytes: 3 };

/**
 * The prices by which a layout search compares, for a ring degree and digit size. Levels are counted in rescales to come; the two
 * primes that stay are below them.
 *
 * @param keyWorth of {@link KEY_WORTH}.
 */
export function slotCosts(ringDegree: number, alpha: number, keyWorth: number = KEY_WORTH.time): SlotCosts {
  const price =
    (counts: (level: number) => KernelCounts) =>
    (rescales: number): number =>
      microseconds(counts(rescales + 1), ringDegree, WASM_COSTS);
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
    key: (level) => rotation(level) * keyWorth,
    // One more limb in everything above it, and bits that precision would rather have: about two rotations in a network of fifty.
    extraLevel: 2 * rotation(4),
  };
}
