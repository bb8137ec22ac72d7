/** Threads where there are Web Workers. The page must be cross-origin isolated, or shared memory is missing. */

import type { StartWorkers } from "../start.ts";

export const startWorkers: StartWorkers = async (count, start) => {
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  );
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.onmessage = () => resolve();
          worker.onerror = (event) => reject(new Error(`a worker did not start: ${event.message}`));
          worker.postMessage(start);
        }),
    ),
  );
  return {
    async stop() {
      for (const worker of workers) worker.terminate();
    },
  };
};

export const processors: () => number = () => navigator.hardwareConcurrency;
