/** Threads where there are Web Workers. The page must be cross-origin isolated, or shared memory is missing. */

import { type StartWorkers, startAll } from "../start.ts";

export const startWorkers: StartWorkers = (count, start) =>
  startAll(count, () => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    return {
      listen(ready, died) {
        worker.onmessage = () => ready();
        worker.onmessageerror = () => died("its message could not be read");
        // A script that could not be loaded tells no more than that.
        worker.onerror = (event) => died(event.message || "its script could not be loaded");
        worker.postMessage(start);
      },
      stop: () => worker.terminate(),
    };
  });

export const processors: () => number = () => navigator.hardwareConcurrency;
