/** The parallel-for over shared memory: a task's kernel calls are written down instead of made, then run on all threads. */

import type { ParallelFor } from "../ring.ts";
import { ARGUMENT_WORDS } from "../wasm/backend.ts";
import type { WasmExports } from "../wasm/module.ts";
import { type JobQueue, KERNEL_NAMES, MAX_CALLS, MAX_TASKS } from "./job-queue.ts";

/** Calls that one task may make: with this many left, a batch is run before the next task is begun. */
const CALLS_OF_A_TASK = 512;
/** Words of arguments in memory (of sums of products, for example) that one task may take. */
const ARGUMENTS_OF_A_TASK: number = 32 * ARGUMENT_WORDS;

export interface Recorder {
  /** The kernels: run at once outside a parallel-for, written down inside. */
  readonly exports: WasmExports;
  /** Room for arguments that a call reads when it runs. Returns a word offset. */
  takeArguments(words: number): number;
  readonly parallel: ParallelFor;
}

/**
 * @param argumentsOffset Where arguments stand, in words; `argumentsLength` of them.
 */
export function createRecorder(
  queue: JobQueue,
  wasm: WasmExports,
  argumentsOffset: number,
  argumentsLength: number,
): Recorder {
  let recording = false;
  let argumentsUsed = 0;

  function begin(): void {
    queue.begin();
    argumentsUsed = 0;
    recording = true;
  }

  function finish(): void {
    recording = false;
    queue.finish();
  }

  const exports = Object.fromEntries(
    KERNEL_NAMES.map((name, number) => {
      const direct = wasm[name] as unknown as (...args: number[]) => void;
      return [name, (...args: number[]) => (recording ? queue.append(number, args) : direct(...args))];
    }),
  ) as unknown as WasmExports;

  return {
    exports: { ...wasm, ...exports },
    takeArguments(words) {
      if (!recording) return argumentsOffset;
      argumentsUsed += words;
      return argumentsOffset + argumentsUsed - words;
    },
    parallel(count, task) {
      if (count === 1 || recording) {
        for (let index = 0; index < count; index++) task(index);
        return;
      }
      begin();
      let open = true;
      try {
        for (let index = 0; index < count; index++) {
          const { tasks, calls } = queue.pending();
          const full =
            tasks === MAX_TASKS ||
            calls > MAX_CALLS - CALLS_OF_A_TASK ||
            argumentsUsed > argumentsLength - ARGUMENTS_OF_A_TASK;
          if (full) {
            open = false;
            finish();
            begin();
            open = true;
          }
          queue.beginTask();
          task(index);
          queue.publishTask();
        }
      } finally {
        // Also where a task threw: those before it may be running.
        if (open) finish();
      }
    },
  };
}
