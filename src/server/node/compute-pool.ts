/**
 * Compute on threads: the event loop only passes messages on. Threads are started when they are needed. A session stays with the thread that
 * holds its keys; compilations, and requests for layers, go to whichever is free.
 */

import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import type { PlanCacheOptions } from "../../builder/node/index.ts";
import { CrcnnError, throwIfAborted } from "../../errors/index.ts";
import { MAX_THREADS } from "../../math/index.ts";
import type { Compute } from "../compute.ts";
import { ServerError } from "../failure.ts";
import { resolveLimits, type ServerLimits } from "../limits.ts";
import { requireModel } from "../models.ts";
import { type ComputeThread, startComputeThread } from "./compute-thread.ts";
import type { ModelFile } from "./load-models.ts";
import type { Job, JobKind, Jobs } from "./messages.ts";

export interface ComputePoolOptions {
  /** By the name that clients ask for; `loadModels` reads them. */
  readonly models: ReadonlyMap<string, ModelFile>;
  /** Threads that compute, each on one request at a time: one for each processor by default, at most {@link MAX_DEFAULT_WORKERS}. */
  readonly workers?: number | undefined;
  /** Threads that take part in one evaluation; 1 by default. Together there are as many as the product of both. */
  readonly threads?: number | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Keeps compiled plans in a folder, also for later processes; nowhere by default. */
  readonly planCache?: PlanCacheOptions | undefined;
  /** Hears of threads that died; others take their place. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const MAX_DEFAULT_WORKERS = 8;
/** When a thread may be free again, in seconds: evaluations take less, compilations a little more. */
const RETRY_AFTER = 2;

interface Member {
  readonly thread: ComputeThread;
  /** With what to do when they are lost; those that are being opened are among them. */
  readonly sessions: Map<string, () => void>;
  current: Task | undefined;
  outgrown: boolean;
}

interface Task {
  readonly job: Job;
  readonly transfer: readonly ArrayBuffer[];
  /** The thread that must do it, where not any can. */
  readonly member: Member | undefined;
  readonly resolve: (value: Jobs[JobKind]["gives"]) => void;
  readonly reject: (error: unknown) => void;
}

/** @throws RangeError for numbers of threads outside 1 … 64, or a limit that is no positive integer. */
export function createComputePool(options: ComputePoolOptions): Compute {
  const { models, threads = 1, planCache, onError = () => {} } = options;
  const workers = options.workers ?? Math.min(availableParallelism(), MAX_DEFAULT_WORKERS);
  const limits = resolveLimits(options.limits ?? {});
  requireCount("workers", workers);
  requireCount("threads", threads);
  const members = new Set<Member>();
  /** Tasks that wait, in the order in which they came. */
  let waiting: Task[] = [];
  let closed = false;

  function requireOpen(): void {
    if (closed) throw new ServerError("BUSY", "the server is closing; try again later");
  }

  function startMember(): Member {
    const thread = startComputeThread({
      threads,
      limits: { encodedBytes: limits.encodedBytes, computeBytes: limits.computeBytes },
      planCache,
      onExit(error) {
        if (!members.has(member)) return;
        const reason = error instanceof Error ? error.message : String(error);
        onError(new Error(`a thread that computes died (${reason}); another one takes its place`, { cause: error }));
        discard(member);
      },
      onOutgrown(outgrown) {
        member.outgrown = outgrown;
        retireIfOutgrown(member);
      },
    });
    const member: Member = { thread, sessions: new Map(), current: undefined, outgrown: false };
    members.add(member);
    return member;
  }

  /** Takes a thread that is gone out of the pool, with what it held and what waited for it. */
  function discard(member: Member): void {
    members.delete(member);
    for (const onLost of member.sessions.values()) onLost();
    const stranded = waiting.filter((task) => task.member === member);
    waiting = waiting.filter((task) => task.member !== member);
    for (const { reject } of stranded) {
      reject(new CrcnnError("WORKER_LOST", "the thread that held this session died; open a new session"));
    }
    for (const task of waiting.filter((each) => each.member === undefined)) {
      const idle = idleMember();
      if (idle) start(task, idle);
    }
  }

  function retireIfOutgrown(member: Member): void {
    if (!member.outgrown || member.current || member.sessions.size > 0) return;
    members.delete(member);
    void member.thread.terminate();
  }

  function fewestSessions(): Member | undefined {
    let least: Member | undefined;
    for (const member of members) if (member.sessions.size < (least?.sessions.size ?? Infinity)) least = member;
    return least;
  }

  /** A thread for a new session: one without any while there may be one more. */
  function memberForSession(): Member {
    const least = fewestSessions();
    return least && (least.sessions.size === 0 || members.size >= workers) ? least : startMember();
  }

  /** A thread that does nothing, started if need be; those with few sessions first, whose clients would have to wait. */
  function idleMember(): Member | undefined {
    let found: Member | undefined;
    for (const member of members) {
      if (!member.current && member.sessions.size < (found?.sessions.size ?? Infinity)) found = member;
    }
    return found ?? (members.size < workers ? startMember() : undefined);
  }

  function start(task: Task, member: Member): void {
    waiting = waiting.filter((each) => each !== task);
    member.current = task;
    member.thread
      .run(task.job, task.transfer)
      .then(task.resolve, task.reject)
      .finally(() => {
        member.current = undefined;
        if (!members.has(member)) return;
        const next = waiting.find((each) => each.member === undefined || each.member === member);
        if (next) start(next, member);
        else retireIfOutgrown(member);
      });
  }

  function perform<K extends JobKind>(
    job: Job & { readonly kind: K },
    signal: AbortSignal,
    { member, transfer = [] }: { readonly member?: Member; readonly transfer?: readonly ArrayBuffer[] } = {},
  ): Promise<Jobs[K]["gives"]> {
    return new Promise<Jobs[JobKind]["gives"]>((resolve, reject) => {
      throwIfAborted(signal);
      requireOpen();
      if (member && !members.has(member))
        throw new CrcnnError("UNKNOWN_SESSION", "the session is lost; open a new one");
      const onAbort = (): void => {
        const runsOn = [...members].find(({ current }) => current === task);
        if (runsOn) {
          runsOn.thread.cancel();
          return;
        }
        waiting = waiting.filter((each) => each !== task);
        task.reject(new CrcnnError("ABORTED", "the request was given up before it was worked on"));
      };
      const done = <T>(settle: (result: T) => void): ((result: T) => void) => {
        return (result) => {
          signal.removeEventListener("abort", onAbort);
          settle(result);
        };
      };
      const task: Task = { job, transfer, member, resolve: done(resolve), reject: done(reject) };
      const taker = member ?? idleMember();
      if (taker && !taker.current) {
        start(task, taker);
      } else {
        if (waiting.length >= limits.queue) {
          throw new ServerError(
            "BUSY",
            `${waiting.length} requests wait for a thread, as many as may; try again`,
            RETRY_AFTER,
          );
        }
        waiting.push(task);
      }
      signal.addEventListener("abort", onAbort);
    }) as Promise<Jobs[K]["gives"]>;
  }

  return {
    models: Array.from(models.values(), ({ summary }) => summary),
    async compile(name, request, signal) {
      return perform({ kind: "compile", model: requireModel(models, name), request }, signal);
    },
    async openSession({ plan, keys, signal, onLost }) {
      requireOpen();
      const session = randomUUID();
      const member = memberForSession();
      // It counts from now on, so that sessions that open at the same time go to different threads.
      member.sessions.set(session, () => {});
      try {
        const { hash, network } = plan;
        const job = { kind: "open", session, plan: { hash, network }, keys } as const;
        await perform(job, signal, { member, transfer: [keys.buffer] });
      } catch (error) {
        member.sessions.delete(session);
        throw error;
      }
      member.sessions.set(session, onLost);
      return {
        evaluate: (segment, bytes, cancellation) =>
          perform({ kind: "evaluate", session, segment, bytes }, cancellation, { member, transfer: [bytes.buffer] }),
        end() {
          // The thread may have been replaced meanwhile.
          if (member.sessions.delete(session) && members.has(member)) member.thread.end(session);
        },
      };
    },
    async computeLayers(body, signal) {
      return perform({ kind: "layers", nets: [...models.values()], body }, signal, { transfer: [body.buffer] });
    },
    async close() {
      closed = true;
      for (const { reject } of waiting) reject(new ServerError("BUSY", "the server has closed; try another one"));
      waiting = [];
      const last = [...members];
      members.clear();
      await Promise.all(last.map(({ thread }) => thread.terminate()));
    },
  };
}

function requireCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_THREADS) return;
  throw new RangeError(`${name} must be an integer from 1 to ${MAX_THREADS}, got ${count}`);
}
