/** A worker thread: the kernels on the shared memory, and the loop that claims tasks. */

import { instantiateKernels } from "../wasm/module.ts";
import { createJobQueue } from "./job-queue.ts";

/** What a worker is started with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Where the job queue stands, in words. */
  readonly queueOffset: number;
}

/** Says that it is ready, then works until it is terminated. */
export function runWorker({ memory, queueOffset }: WorkerStart, reportReady: () => void): never {
  const wasm = instantiateKernels(memory);
  const queue = createJobQueue(new Int32Array(memory.buffer), queueOffset, wasm);
  reportReady();
  return queue.work();
}
