/** What each group of layers that were fused takes of an evaluation, for reports. */

import type { RlweParameters } from "../rlwe/index.ts";
import { costBySpan, measureSpans } from "./batch/cost.ts";
import type { BatchPlan } from "./batch/plan.ts";
import type { BatchSchedule } from "./batch/schedule.ts";
import { spansOf } from "./batch/tiles.ts";
import { countNodes } from "./cost.ts";
import { type MachineCosts, microseconds, none, plus } from "./kernel-counts.ts";
import { type LayerRange, type Plan, sourcesOf } from "./plan.ts";
import type { Schedule } from "./schedule.ts";

export interface LayerCost {
  readonly layers: LayerRange;
  /** Levels at which it begins and ends: primes in use, less one. */
  readonly levels: readonly [from: number, to: number];
  readonly seconds: number;
  readonly rotations: number;
  readonly relinearizations: number;
  /** Products with plaintexts, or of limbs with small weights in a batch. */
  readonly products: number;
}

/** By group, in the order in which they run. */
export function costByLayer(
  plan: Plan,
  parameters: RlweParameters,
  schedule: Schedule,
  machine: MachineCosts,
): LayerCost[] {
  const { levels } = schedule;
  const counts = countNodes(plan, parameters, schedule);
  return plan.groups.map((layers) => {
    const ids = plan.nodes.flatMap((_, id) => (plan.layers[id] === layers[0] ? [id] : []));
    const own = ids.map((id) => plan.nodes[id]);
    const before = ids.flatMap((id) => [...sourcesOf(plan.nodes[id]), id]).map((id) => levels[id]);
    const count = (op: string): number => own.filter((node) => node.op === op).length;
    return {
      layers,
      levels: [Math.max(...before), Math.min(...ids.map((id) => levels[id]))],
      seconds:
        microseconds(
          ids.reduce((sum, id) => plus(sum, counts[id]), none),
          parameters.ringDegree,
          machine,
        ) / 1e6,
      rotations: count("rotate"),
      relinearizations: count("relinearize"),
      products: own.reduce((sum, node) => sum + (node.op === "weightedSum" ? node.terms.length : 0), 0),
    };
  });
}

/** By span of a batch, for a full one. */
export function batchCostByLayer(
  plan: BatchPlan,
  parameters: RlweParameters,
  schedule: BatchSchedule,
  machine: MachineCosts,
): LayerCost[] {
  const work = measureSpans(plan);
  const costs = costBySpan(plan, work, parameters, schedule, machine);
  return spansOf(plan).map(({ first, stages }, i) => ({
    layers: [Math.min(...stages.map(({ layers }) => layers[0])), Math.max(...stages.map(({ layers }) => layers[1]))],
    levels: [schedule[first].level, schedule[first + stages.length].level],
    seconds: costs[i].seconds,
    rotations: 0,
    relinearizations: stages.some(({ op }) => op === "relinearize") ? work[i].outputs : 0,
    products: costs[i].weighted,
  }));
}
