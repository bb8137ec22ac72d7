/** Threads where there is `node:worker_threads`: Node, Deno and Bun. */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type StartWorkers, startAll } from "../start.ts";

export const startWorkers: StartWorkers = (count, start) =>
  startAll(count, () => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: start });
    return {
      listen(ready, died) {
        worker.once("message", () => {
          // An engine must not keep a program alive that has nothing else to do.
          worker.unref();
          ready();
        });
        worker.once("error", ({ message }) => died(message));
        worker.once("exit", (code) => died(`it ended with code ${code}`));
      },
      stop: () => worker.terminate(),
    };
  });

export const processors: () => number = availableParallelism;
