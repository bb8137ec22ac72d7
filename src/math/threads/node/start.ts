/** Threads where there is `node:worker_threads`: Node, Deno and Bun. */

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { StartWorkers } from "../start.ts";

export const startWorkers: StartWorkers = async (count, start) => {
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: start });
    // An engine must not keep a program alive that has nothing else to do.
    worker.unref();
    return worker;
  });
  await Promise.all(workers.map((worker) => once(worker, "message")));
  return {
    async stop() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
};

export const processors: () => number = availableParallelism;
