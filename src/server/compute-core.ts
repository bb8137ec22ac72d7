/** The work itself, on one engine: compile, keep sessions' keys, evaluate. Synchronous; one runs in each thread that computes. */

import { type CompiledNetwork, compile as compileNetwork, type SourceModel } from "../builder/index.ts";
import { type Cancellation, CrcnnError } from "../errors/index.ts";
import type { Engine } from "../math/index.ts";
import { serializeManifest } from "../plan/index.ts";
import { type PlanRequest, planHash } from "../protocol/index.ts";
import { type EvaluationKeys, freeEvaluationKeys } from "../rlwe/index.ts";
import type { CompiledPlan, Evaluation, SessionPlan } from "./compute.ts";
import { computeLayers, type NetSource } from "./elementwise/compute-layers.ts";
import { createBfvContexts } from "./elementwise/contexts.ts";
import { evaluateSegment, receiveKeys } from "./evaluate.ts";
import type { ServerLimits } from "./limits.ts";
import { createProgramCache, type HeldPlan } from "./program-cache.ts";

/** Methods throw what those of `Compute` do. */
export interface ComputeCore {
  compile(model: SourceModel, request: PlanRequest, signal: Cancellation): CompiledPlan;
  /** @param session An identifier that is not in use. */
  open(session: string, plan: SessionPlan, keys: Uint8Array): void;
  evaluate(session: string, segment: number, bytes: Uint8Array, signal: Cancellation): Evaluation;
  computeLayers(nets: readonly NetSource[], body: Uint8Array, signal: Cancellation): Evaluation;
  /** Does nothing for a session that is not there. */
  end(session: string): void;
  /**
   * Whether this core should make way for a new one: it has no session, and yet its heap, which never shrinks, has grown past twice the
   * bound of encoded plans.
   */
  outgrown(): boolean;
}

interface CoreSession {
  readonly plan: HeldPlan;
  readonly keys: EvaluationKeys;
}

/** @param compile The builder's, or one that remembers what it has compiled. */
export function createComputeCore(
  engine: Engine,
  { encodedBytes, computeBytes }: Pick<ServerLimits, "encodedBytes" | "computeBytes">,
  compile: typeof compileNetwork = compileNetwork,
): ComputeCore {
  const programs = createProgramCache(engine, encodedBytes);
  const contexts = createBfvContexts(encodedBytes);
  const sessions = new Map<string, CoreSession>();

  return {
    compile(model, request, signal) {
      const network = compileRequest(compile, model, request, signal);
      const text = serializeManifest(network.manifest);
      return { hash: planHash(text), text, network };
    },
    open(session, plan, bytes) {
      const held = programs.hold(plan);
      try {
        // Encoded now, the first evaluation takes as long as any other.
        held.programs();
        sessions.set(session, { plan: held, keys: receiveKeys(held, bytes) });
      } catch (error) {
        held.release();
        throw error;
      }
    },
    evaluate(id, segment, bytes, signal) {
      const session = sessions.get(id);
      if (session) return evaluateSegment(session.plan, session.keys, segment, bytes, signal);
      throw new CrcnnError("UNKNOWN_SESSION", "the session has ended; open a new one");
    },
    computeLayers(nets, body, signal) {
      try {
        return computeLayers(body, { nets, contexts, answerBytes: computeBytes, signal });
      } finally {
        contexts.trim();
      }
    },
    end(id) {
      const session = sessions.get(id);
      if (!session) return;
      sessions.delete(id);
      freeEvaluationKeys(session.keys);
      session.plan.release();
    },
    outgrown: () => sessions.size === 0 && engine.heap.usage().reserved > 2 * encodedBytes,
  };
}

function compileRequest(
  compile: typeof compileNetwork,
  model: SourceModel,
  request: PlanRequest,
  signal: Cancellation,
): CompiledNetwork {
  try {
    return compile(model, { ...request, signal });
  } catch (error) {
    // A field that has the right form and yet does not fit the model, as a layer number that it has not got.
    if (error instanceof RangeError) throw new CrcnnError("INVALID_MESSAGE", error.message, { cause: error });
    throw error;
  }
}
