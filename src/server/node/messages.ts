/** What the server and its threads say to each other. */

import type { PlanCacheOptions } from "../../builder/node/index.ts";
import { CrcnnError, ERROR_CODES, type ErrorCode } from "../../errors/index.ts";
import type { FailureCode, PlanRequest } from "../../protocol/index.ts";
import type { CompiledPlan, Evaluation, SessionPlan } from "../compute.ts";
import { ServerError } from "../failure.ts";
import type { ServerLimits } from "../limits.ts";
import type { ModelFile } from "./load-models.ts";

export type ThreadLimits = Pick<ServerLimits, "encodedBytes" | "computeBytes">;

/** What a thread is started with. */
export interface ThreadSetup {
  /** Threads that take part in one evaluation, this one included. */
  readonly threads: number;
  readonly limits: ThreadLimits;
  /** Where compiled plans are kept, if anywhere. */
  readonly planCache: PlanCacheOptions | undefined;
  /** One word in shared memory: the number of the job that is cancelled. */
  readonly cancelled: SharedArrayBuffer;
}

/** What a thread does, by kind, with what comes of it. */
export interface Jobs {
  readonly compile: {
    readonly asks: { readonly model: ModelFile; readonly request: PlanRequest };
    readonly gives: CompiledPlan;
  };
  readonly open: {
    readonly asks: { readonly session: string; readonly plan: SessionPlan; readonly keys: Uint8Array<ArrayBuffer> };
    readonly gives: undefined;
  };
  readonly evaluate: {
    readonly asks: { readonly session: string; readonly segment: number; readonly bytes: Uint8Array<ArrayBuffer> };
    readonly gives: Evaluation;
  };
  readonly layers: {
    readonly asks: { readonly nets: readonly ModelFile[]; readonly body: Uint8Array<ArrayBuffer> };
    readonly gives: Evaluation;
  };
}

export type JobKind = keyof Jobs;
export type Job = { readonly [K in JobKind]: { readonly kind: K } & Jobs[K]["asks"] }[JobKind];

/** Jobs have numbers from 1 on; the thread answers each before it takes the next. */
export type ToThread =
  | { readonly kind: "job"; readonly number: number; readonly job: Job }
  | { readonly kind: "end"; readonly session: string };

export type FromThread =
  | { readonly kind: "done"; readonly value: Jobs[JobKind]["gives"]; readonly outgrown: boolean }
  | { readonly kind: "failed"; readonly failure: ThreadFailure; readonly outgrown: boolean }
  | { readonly kind: "ended"; readonly outgrown: boolean };

/** An error between threads: those of ours lose their class and code in a structured clone. */
export interface ThreadFailure {
  readonly code?: FailureCode;
  readonly message: string;
  readonly stack?: string | undefined;
}

export function describeFailure(error: unknown): ThreadFailure {
  if (error instanceof CrcnnError || error instanceof ServerError) return { code: error.code, message: error.message };
  if (error instanceof Error) return { message: error.message, stack: error.stack };
  return { message: String(error) };
}

export function reviveFailure({ code, message, stack }: ThreadFailure): Error {
  if (code !== undefined) {
    return Object.hasOwn(ERROR_CODES, code)
      ? new CrcnnError(code as ErrorCode, message)
      : new ServerError(code, message);
  }
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
