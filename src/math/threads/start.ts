/** What the modules behind the `#threads` import offer. */

import type { WorkerStart } from "./worker.ts";

/** Started workers. */
export interface Workers {
  stop(): Promise<void>;
}

/** Starts workers and resolves when all of them are ready. */
export type StartWorkers = (count: number, start: WorkerStart) => Promise<Workers>;
