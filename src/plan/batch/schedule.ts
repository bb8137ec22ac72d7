/** Levels, scales and components of a batch plan's stages under given primes. */

import type { RlweParameters } from "../../rlwe/index.ts";
import type { InputState, KeyDemand } from "../schedule.ts";
import type { BatchPlan } from "./plan.ts";

/** What stands before a stage, or behind the last one. */
export interface BatchState {
  readonly level: number;
  /** Slots are the values times this. */
  readonly scale: number;
  readonly components: number;
}

/** One state more than the plan has stages: before each, and behind the last. */
export type BatchSchedule = readonly BatchState[];

export function scheduleBatch(
  { stages }: BatchPlan,
  { dataPrimes }: Pick<RlweParameters, "dataPrimes">,
  input: InputState,
): BatchSchedule {
  let state: BatchState = { ...input, components: 2 };
  const states = [state];
  for (const stage of stages) {
    const { level, scale, components } = state;
    switch (stage.op) {
      case "affine":
        state = { ...state, scale: scale * stage.weightScale };
        break;
      case "sum":
        state = { ...state, scale: scale / stage.weight };
        break;
      case "square":
        // A product, which is rounded alike everywhere.
        state = { level, scale: scale * scale, components: 2 * components - 1 };
        break;
      case "relinearize":
        state = { ...state, components: 2 };
        break;
      case "switch-modulus":
        state = { ...state, level: level - stage.primes };
        break;
      case "rescale": {
        const dropped = dataPrimes.slice(level + 1 - stage.primes, level + 1);
        state = {
          ...state,
          level: level - stage.primes,
          scale: dropped.reduce((rest, prime) => rest / prime, scale),
        };
        break;
      }
    }
    states.push(state);
  }
  return states;
}

/** The keys that a scheduled plan uses: at most one, for relinearization. */
export function demandBatchKeys({ stages }: BatchPlan, schedule: BatchSchedule): KeyDemand {
  const levels = stages.flatMap(({ op }, i) => (op === "relinearize" ? [schedule[i].level] : []));
  return { rotations: [], relinearization: Math.max(-1, ...levels) };
}
