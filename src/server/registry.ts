/** The models that are served, with the plans compiled so far. */

import { type CompiledNetwork, compile, type SourceModel } from "../builder/index.ts";
import { createEncoder } from "../ckks/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { type EncryptedProgram, prepareProgram, serializeManifest } from "../plan/index.ts";
import { type ModelSummary, type PlanRequest, planHash } from "../protocol/index.ts";
import { createRlweContext, type RlweContext } from "../rlwe/index.ts";
import { ServerError } from "./failure.ts";

/** What sessions of one plan share. */
export interface PlanRuntime {
  readonly context: RlweContext;
  /** One a segment. */
  readonly programs: readonly EncryptedProgram[];
}

/** A model compiled for one request. */
export interface ServedPlan {
  readonly model: string;
  /** See `planHash`. */
  readonly hash: string;
  /** The manifest as it is sent. */
  readonly text: string;
  readonly network: CompiledNetwork;
  /** Context and encoded weights, made at the first call. */
  runtime(): PlanRuntime;
}

export interface ModelRegistry {
  list(): ModelSummary[];
  /** @throws CrcnnError UNKNOWN_MODEL, and what `compile` throws; ServerError BUSY when all plans that may be kept are in use. */
  plan(model: string, request: PlanRequest): ServedPlan;
  /** @throws CrcnnError UNKNOWN_MODEL, FOREIGN_OBJECT when no plan with this hash is kept. */
  find(model: string, hash: string): ServedPlan;
}

/**
 * @param maximumPlans How many plans are kept.
 * @param inUse Tells plans that have sessions, which are not forgotten.
 */
export function createRegistry(
  models: ReadonlyMap<string, SourceModel>,
  maximumPlans: number,
  inUse: (plan: ServedPlan) => boolean,
): ModelRegistry {
  /** In the order of last use. */
  const plans = new Map<string, ServedPlan>();

  function modelNamed(name: string): SourceModel {
    const model = models.get(name);
    if (model) return model;
    throw new CrcnnError(
      "UNKNOWN_MODEL",
      `there is no model ${JSON.stringify(name)} here; there are: ${[...models.keys()].join(", ")}`,
    );
  }

  function touch(key: string, plan: ServedPlan): ServedPlan {
    plans.delete(key);
    plans.set(key, plan);
    return plan;
  }

  function makeRoom(): void {
    if (plans.size < maximumPlans) return;
    for (const [key, plan] of plans) {
      if (inUse(plan)) continue;
      plans.delete(key);
      return;
    }
    throw new ServerError("BUSY", `all ${maximumPlans} plans that the server keeps are in use; try again later`);
  }

  return {
    list: () => Array.from(models, ([name, { layers }]) => ({ name, layers: layers.map(({ layer }) => layer.kind) })),
    plan(name, request) {
      const model = modelNamed(name);
      const { inputShape, precision, inputRange, rencryptPositions } = request;
      const key = JSON.stringify([name, inputShape, precision, inputRange, rencryptPositions]);
      const known = plans.get(key);
      if (known) return touch(key, known);
      makeRoom();
      return touch(key, servePlan(name, compileRequest(model, request)));
    },
    find(name, hash) {
      modelNamed(name);
      for (const [key, plan] of plans) if (plan.model === name && plan.hash === hash) return touch(key, plan);
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `the server keeps no such plan of the model ${name}; ask for the plan again`,
      );
    },
  };
}

function compileRequest(model: SourceModel, request: PlanRequest): CompiledNetwork {
  try {
    return compile(model, request);
  } catch (error) {
    // A field that has the right form and yet does not fit the model, as a layer number that it has not got.
    if (error instanceof RangeError) throw new CrcnnError("INVALID_MESSAGE", error.message, { cause: error });
    throw error;
  }
}

function servePlan(model: string, network: CompiledNetwork): ServedPlan {
  const { manifest, plans, schedules } = network;
  const text = serializeManifest(manifest);
  let runtime: PlanRuntime | undefined;
  return {
    model,
    hash: planHash(text),
    text,
    network,
    runtime() {
      if (!runtime) {
        const context = createRlweContext(manifest.parameters);
        const encoder = createEncoder(context);
        runtime = { context, programs: plans.map((plan, i) => prepareProgram(plan, schedules[i]!, encoder)) };
      }
      return runtime;
    },
  };
}
