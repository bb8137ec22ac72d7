/** What the modules behind the `#threads` import offer, and what they share. */

import { CrcnnError } from "../../errors/index.ts";
import type { WorkerStart } from "./worker.ts";

/** Started workers. */
export interface Workers {
  /** How many of them have not died since. */
  alive(): number;
  stop(): Promise<void>;
}

/** Starts workers and resolves when all of them are ready. @throws CrcnnError WORKER_FAILED; none of them is left running then. */
export type StartWorkers = (count: number, start: WorkerStart) => Promise<Workers>;

/** A thread of whatever kind the runtime has. */
export interface WorkerHandle {
  /** Calls `ready` when the thread says so, and `died` when it ends, with the reason where one is known. */
  listen(ready: () => void, died: (reason: string) => void): void;
  stop(): unknown;
}

/** A module is loaded and 10 kB of WebAssembly are compiled in that time even on a busy machine. */
const START_MILLISECONDS = 30_000;

/** Makes `count` threads and watches over them. */
export async function startAll(
  count: number,
  makeWorker: () => WorkerHandle,
  startMilliseconds: number = START_MILLISECONDS,
): Promise<Workers> {
  const handles: WorkerHandle[] = [];
  const dead = new Set<WorkerHandle>();
  const stop = async (): Promise<void> => {
    await Promise.all(handles.map((handle) => handle.stop()));
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${startMilliseconds / 1000} s`)), startMilliseconds);
    });
    const ready = Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve, reject) => {
          const handle = makeWorker();
          handles.push(handle);
          handle.listen(resolve, (reason) => {
            dead.add(handle);
            reject(new Error(reason));
          });
        }),
    );
    await Promise.race([Promise.all(ready), timeout]);
  } catch (cause) {
    await stop();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CrcnnError("WORKER_FAILED", `a thread of the engine did not start (${reason}); use one thread`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
  return { alive: () => handles.length - dead.size, stop };
}
