/** The plans compiled so far. */

import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import type { PlanRequest } from "../protocol/index.ts";
import type { CompiledPlan, Compute } from "./compute.ts";
import { ServerError } from "./failure.ts";
import { requireModel } from "./models.ts";

/** A plan with the name of its model. */
export interface ServedPlan extends CompiledPlan {
  readonly model: string;
}

export interface PlanRegistry {
  /**
   * Has a model compiled, unless that was done before. Those who ask for the same at the same time share one compilation; it is cancelled
   * when all of them have gone away.
   *
   * @throws CrcnnError UNKNOWN_MODEL, and what `Compute.compile` throws; ServerError BUSY when all plans that may be kept are in use.
   */
  plan(model: string, request: PlanRequest, signal: AbortSignal): Promise<ServedPlan>;
  /** @throws CrcnnError UNKNOWN_MODEL, FOREIGN_OBJECT when no plan with this hash is kept. */
  find(model: string, hash: string): ServedPlan;
}

interface Compilation {
  readonly result: Promise<ServedPlan>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * @param maximumPlans How many plans are kept.
 * @param inUse Tells plans that have sessions, which are not forgotten.
 */
export function createRegistry(
  compute: Compute,
  maximumPlans: number,
  inUse: (plan: ServedPlan) => boolean,
): PlanRegistry {
  const models = new Map(compute.models.map((model) => [model.name, model]));
  /** In the order of last use. */
  const plans = new Map<string, ServedPlan>();
  const compilations = new Map<string, Compilation>();

  function touch(key: string, plan: ServedPlan): ServedPlan {
    plans.delete(key);
    plans.set(key, plan);
    return plan;
  }

  /** Plans that are being compiled have their places already. */
  function makeRoom(): void {
    if (plans.size + compilations.size < maximumPlans) return;
    for (const [key, plan] of plans) {
      if (inUse(plan)) continue;
      plans.delete(key);
      return;
    }
    throw new ServerError("BUSY", `all ${maximumPlans} plans that the server keeps are in use; try again later`);
  }

  /** @returns false where that was done before, so that the plan has no place. */
  function forget(key: string, compilation: Compilation): boolean {
    return compilations.get(key) === compilation && compilations.delete(key);
  }

  function start(key: string, model: string, request: PlanRequest): Compilation {
    makeRoom();
    const controller = new AbortController();
    const compile = async (): Promise<ServedPlan> => {
      try {
        const plan = { ...(await compute.compile(model, request, controller.signal)), model };
        return forget(key, compilation) ? touch(key, plan) : plan;
      } finally {
        forget(key, compilation);
      }
    };
    const compilation: Compilation = { result: compile(), controller, waiting: 0 };
    compilations.set(key, compilation);
    return compilation;
  }

  return {
    async plan(model, request, signal) {
      throwIfAborted(signal);
      requireModel(models, model);
      const { inputShape, precision, inputRange, rencryptPositions, activations } = request;
      const key = JSON.stringify([model, inputShape, precision, inputRange, rencryptPositions, activations]);
      const known = plans.get(key);
      if (known) return touch(key, known);
      const compilation = compilations.get(key) ?? start(key, model, request);
      compilation.waiting++;
      const leave = (): void => {
        compilation.waiting--;
        if (compilation.waiting > 0) return;
        // Whoever asks now begins anew.
        forget(key, compilation);
        compilation.controller.abort();
      };
      signal.addEventListener("abort", leave, { once: true });
      try {
        return await compilation.result;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
    find(model, hash) {
      requireModel(models, model);
      for (const [key, plan] of plans) if (plan.model === model && plan.hash === hash) return touch(key, plan);
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `the server keeps no such plan of the model ${model}; ask for the plan again`,
      );
    },
  };
}
