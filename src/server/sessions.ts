/** Sessions: one client's evaluation keys for one plan. Their memory is given back when they end. */

import { CrcnnError } from "../errors/index.ts";
import { type EvaluationKeys, freeEvaluationKeys } from "../rlwe/index.ts";
import { ServerError } from "./failure.ts";
import type { ServerLimits } from "./limits.ts";
import type { ServedPlan } from "./registry.ts";

export interface Session {
  readonly plan: ServedPlan;
  readonly keys: EvaluationKeys;
}

export interface SessionStore {
  /**
   * Opens a session with the keys that `receive` resolves to. It counts from the start, so that no more uploads run at a time than there
   * may be sessions.
   *
   * @returns the session's identifier, which is also what entitles to it.
   * @throws ServerError BUSY, and what `receive` throws.
   */
  open(plan: ServedPlan, receive: () => Promise<EvaluationKeys>): Promise<string>;
  /** The session, which begins to be idle anew. @throws CrcnnError UNKNOWN_SESSION */
  get(id: string): Session;
  /** Ends a session. @throws CrcnnError UNKNOWN_SESSION */
  end(id: string): void;
  uses(plan: ServedPlan): boolean;
  endAll(): void;
}

export function createSessions({ sessions: maximum, idleMilliseconds }: ServerLimits): SessionStore {
  const sessions = new Map<string, Session & { timer: ReturnType<typeof setTimeout> }>();
  const receiving: ServedPlan[] = [];

  function idleTimer(id: string): ReturnType<typeof setTimeout> {
    const timer: unknown = setTimeout(() => end(id), idleMilliseconds);
    // On Node a waiting timer would keep a process alive that has nothing else to do; elsewhere timers are numbers.
    if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
    return timer as ReturnType<typeof setTimeout>;
  }

  function find(id: string): Session & { timer: ReturnType<typeof setTimeout> } {
    const session = sessions.get(id);
    if (session) return session;
    throw new CrcnnError("UNKNOWN_SESSION", "there is no such session, or it has expired; open a new one");
  }

  function end(id: string): void {
    const { timer, keys } = find(id);
    clearTimeout(timer);
    sessions.delete(id);
    freeEvaluationKeys(keys);
  }

  return {
    async open(plan, receive) {
      if (sessions.size + receiving.length >= maximum) {
        throw new ServerError("BUSY", `the server has ${maximum} sessions, as many as it may have; try again later`);
      }
      receiving.push(plan);
      try {
        const keys = await receive();
        const id = crypto.randomUUID();
        sessions.set(id, { plan, keys, timer: idleTimer(id) });
        return id;
      } finally {
        receiving.splice(receiving.indexOf(plan), 1);
      }
    },
    get(id) {
      const session = find(id);
      clearTimeout(session.timer);
      session.timer = idleTimer(id);
      return session;
    },
    end,
    uses: (plan) => receiving.includes(plan) || Array.from(sessions.values()).some((session) => session.plan === plan),
    endAll() {
      for (const id of [...sessions.keys()]) end(id);
    },
  };
}
