/** Sessions: one client's evaluation keys for one plan. Their memory is given back when they end. */

import { CrcnnError } from "../errors/index.ts";
import type { ComputeSession } from "./compute.ts";
import { ServerError } from "./failure.ts";
import type { ServerLimits } from "./limits.ts";
import type { ServedPlan } from "./registry.ts";
import { startTimer, type Timer } from "./timer.ts";

export interface Session {
  readonly plan: ServedPlan;
  readonly compute: ComputeSession;
}

export interface SessionStore {
  /**
   * Opens a session with the keys that `receive` has read. It counts from the start, so that no more uploads run at a time than there
   * may be sessions.
   *
   * @param receive Gets a function to call when the session is lost.
   * @returns the session's identifier, which is also what entitles to it.
   * @throws ServerError BUSY, and what `receive` throws.
   */
  open(plan: ServedPlan, receive: (onLost: () => void) => Promise<ComputeSession>): Promise<string>;
  /** The session, which begins to be idle anew. @throws CrcnnError UNKNOWN_SESSION */
  get(id: string): Session;
  /** Works with a session, which is not idle meanwhile. @throws CrcnnError UNKNOWN_SESSION, and what `work` throws. */
  use<T>(id: string, work: (session: ComputeSession) => Promise<T>): Promise<T>;
  /** Ends a session. @throws CrcnnError UNKNOWN_SESSION */
  end(id: string): void;
  uses(plan: ServedPlan): boolean;
  endAll(): void;
}

interface StoredSession extends Session {
  timer: Timer | undefined;
  working: number;
}

export function createSessions({ sessions: maximum, idleMilliseconds }: ServerLimits): SessionStore {
  const sessions = new Map<string, StoredSession>();
  const receiving: ServedPlan[] = [];

  function find(id: string): StoredSession {
    const session = sessions.get(id);
    if (session) return session;
    throw new CrcnnError("UNKNOWN_SESSION", "there is no such session, or it has expired or was lost; open a new one");
  }

  function restartTimer(id: string, session: StoredSession): void {
    clearTimeout(session.timer);
    session.timer = session.working === 0 ? startTimer(idleMilliseconds, () => end(id)) : undefined;
  }

  function forget(id: string): void {
    clearTimeout(sessions.get(id)?.timer);
    sessions.delete(id);
  }

  function end(id: string): void {
    const { compute } = find(id);
    forget(id);
    compute.end();
  }

  return {
    async open(plan, receive) {
      if (sessions.size + receiving.length >= maximum) {
        throw new ServerError("BUSY", `the server has ${maximum} sessions, as many as it may have; try again later`);
      }
      receiving.push(plan);
      try {
        const id = crypto.randomUUID();
        const compute = await receive(() => forget(id));
        sessions.set(id, { plan, compute, timer: startTimer(idleMilliseconds, () => end(id)), working: 0 });
        return id;
      } finally {
        receiving.splice(receiving.indexOf(plan), 1);
      }
    },
    get(id) {
      const session = find(id);
      restartTimer(id, session);
      return session;
    },
    async use(id, work) {
      const session = find(id);
      session.working++;
      restartTimer(id, session);
      try {
        return await work(session.compute);
      } finally {
        session.working--;
        if (sessions.has(id)) restartTimer(id, session);
      }
    },
    end,
    uses: (plan) => receiving.includes(plan) || Array.from(sessions.values()).some((session) => session.plan === plan),
    endAll() {
      for (const id of [...sessions.keys()]) end(id);
    },
  };
}
