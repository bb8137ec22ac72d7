/**
 * What the server leaves to others: all work that takes longer than reading a message. The app knows this interface alone; behind it work
 * happens at once (`inline-compute.ts`) or on other threads (`node/compute-pool.ts`). Only bytes and plain data pass through it.
 */

import type { CompiledNetwork } from "../builder/index.ts";
import type { ModelSummary, PlanRequest } from "../protocol/index.ts";

/** A compiled plan as sessions are opened with it. */
export interface SessionPlan {
  /** See `planHash`. */
  readonly hash: string;
  /** Plain data that survives a structured clone. */
  readonly network: CompiledNetwork;
}

/** A model compiled for one request. */
export interface CompiledPlan extends SessionPlan {
  /** The manifest as it is sent. */
  readonly text: string;
}

export interface Evaluation {
  /** The message of the results. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What the evaluation took, without waiting for it and without reading and writing messages. */
  readonly milliseconds: number;
}

/** One client's keys, in the memory of whoever evaluates with them. */
export interface ComputeSession {
  /**
   * Evaluates one of the plan's segments.
   *
   * @param bytes The message of ciphertexts; it may be moved to another thread, so the caller has it no more.
   * @param signal Stops the evaluation at the next node of the plan.
   * @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT for ciphertexts that are not what the plan takes, UNKNOWN_SESSION once the session
   * has ended, WORKER_LOST when whoever evaluated is gone, ABORTED; ServerError BUSY.
   */
  evaluate(segment: number, bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Evaluation>;
  /** Gives the memory of the keys back. */
  end(): void;
}

export interface OpenSession {
  readonly plan: SessionPlan;
  /** The message of evaluation keys; it may be moved to another thread, so the caller has it no more. */
  readonly keys: Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal;
  /** Called when an open session is lost with the thread that held its keys. */
  readonly onLost: () => void;
}

export interface Compute {
  readonly models: readonly ModelSummary[];
  /**
   * Compiles one of the models.
   *
   * @throws CrcnnError as `compile` does, INVALID_MESSAGE where a field of the request does not fit the model, WORKER_LOST, ABORTED;
   * ServerError BUSY.
   */
  compile(model: string, request: PlanRequest, signal: AbortSignal): Promise<CompiledPlan>;
  /**
   * Reads a client's keys.
   *
   * @throws CrcnnError INVALID_MESSAGE, FOREIGN_OBJECT, MISSING_KEY when the plan wants others, WORKER_LOST, ABORTED; ServerError BUSY.
   */
  openSession(session: OpenSession): Promise<ComputeSession>;
  /**
   * Runs layers of a model on what one request brings with it.
   *
   * @param body A `ComputeRequest` as JSON; it may be moved to another thread, so the caller has it no more.
   * @returns A `ComputeAnswer` as JSON.
   * @throws CrcnnError INVALID_MESSAGE, LIMIT_EXCEEDED, UNKNOWN_MODEL, FOREIGN_OBJECT, MISSING_KEY, MEMORY_LIMIT, WORKER_LOST, ABORTED, and what
   * `compileElementwise` throws; ServerError BUSY.
   */
  computeLayers(body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Evaluation>;
  /** Stops whatever runs. To be called when all sessions have ended. */
  close(): Promise<void>;
}
