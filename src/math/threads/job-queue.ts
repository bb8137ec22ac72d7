/**
 * Kernel calls in shared memory, grouped into tasks that any thread can claim: the part of the parallel-for that callers and workers share.
 *
 * The claim word holds the number of tasks published in the present batch and of those claimed. A task is published as soon as it is written
 * down, so workers begin while the caller is still writing. A claim is a compare and exchange, so the caller, which takes part when it has
 * written all, finishes alone where no worker comes; a thread that slept through any number of batches claims, at worst, a task of the
 * present one.
 */

import { CrcnnError } from "../../errors/index.ts";
import type { WasmExports } from "../wasm/module.ts";

/** Kernels by number, in the order of this list: those whose results stay in memory. */
export const KERNEL_NAMES: readonly (keyof WasmExports)[] = [
  "forwardNtt",
  "inverseNtt",
  "add",
  "subtract",
  "negate",
  "multiplyScalar",
  "subtractMultiplyScalar",
  "reduceSigned",
  "permute",
  "dotProduct",
  "dotProductPair",
  "liftSingle",
  "liftDigits",
  "combineLimbs",
  "roundedSum",
  "sampleUniform",
  "weightedSums",
];

const COUNT_BITS = 12;
/** Tasks in one batch. */
export const MAX_TASKS: number = 2 ** COUNT_BITS - 1;
/** Calls in one batch. */
export const MAX_CALLS = 8192;
/** A kernel's number and up to nine arguments. */
const CALL_WORDS = 10;

/** Words of the queue, from its offset on. */
const CLAIM = 0;
const DONE = 1;
const WORKER_TASKS = 2;
const TASKS = 16;
const CALLS: number = TASKS + MAX_TASKS + 1;
export const QUEUE_WORDS: number = CALLS + MAX_CALLS * CALL_WORDS;

/** How often a thread looks for work before it goes to sleep: some hundred microseconds, the length of a pause between batches. */
const SPINS = 20_000;
const SLEEP_MILLISECONDS = 100;
/** Kernels take microseconds: a task that is not done by then belongs to a thread that is gone. */
const LOST_MILLISECONDS = 10_000;

type Kernel = (...args: number[]) => void;

export interface JobQueue {
  /** Begins a batch; the one before must be finished. @throws CrcnnError WORKER_LOST where it never was. */
  begin(): void;
  /** Begins a task; calls appended from now on belong to it. One that was begun and not published is forgotten. */
  beginTask(): void;
  append(kernel: number, args: readonly number[]): void;
  /** Ends the task and lets threads claim it. */
  publishTask(): void;
  /** Tasks published and calls appended in this batch. */
  pending(): { readonly tasks: number; readonly calls: number };
  /** Takes part in the batch, and returns when all its tasks are done. @throws CrcnnError WORKER_LOST */
  finish(): void;
  /** Tasks that workers, not the caller, have run so far; counted modulo 2^32. */
  workerTasks(): number;
  /** A worker's loop: claims and runs tasks until the program ends. */
  work(): never;
}

/** Sleeps while a word keeps its value, to spare the processor. A browser's main thread may not: there it returns at once. */
function rest(words: Int32Array, index: number, value: number, milliseconds: number): void {
  try {
    Atomics.wait(words, index, value, milliseconds);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/**
 * @param words Shared memory; `offset` is where the queue's words stand in it.
 * @param lostMilliseconds How long a claimed task may take before its thread counts as dead.
 */
export function createJobQueue(
  words: Int32Array,
  offset: number,
  wasm: WasmExports,
  lostMilliseconds: number = LOST_MILLISECONDS,
): JobQueue {
  const kernels = KERNEL_NAMES.map((name) => wasm[name] as unknown as Kernel);
  const claim = offset + CLAIM;
  const done = offset + DONE;
  const tasks = offset + TASKS;
  const calls = offset + CALLS;
  let taskCount = 0;
  let callCount = 0;
  let epoch = 0;
  /** A thread that still has a task of such a batch would finish it in the middle of a later one. */
  let unfinished = false;

  function runTask(task: number): void {
    for (let call = words[tasks + task]; call < words[tasks + task + 1]; call++) {
      const at = calls + call * CALL_WORDS;
      // Kernels with fewer parameters ignore the rest.
      kernels[words[at]](
        words[at + 1],
        words[at + 2],
        words[at + 3],
        words[at + 4],
        words[at + 5],
        words[at + 6],
        words[at + 7],
        words[at + 8],
        words[at + 9],
      );
    }
    Atomics.add(words, done, 1);
  }

  /** Claims one task and runs it; false where none is left. */
  function claimAndRun(): boolean {
    const state = Atomics.load(words, claim);
    const next = state & MAX_TASKS;
    if (next >= ((state >>> COUNT_BITS) & MAX_TASKS)) return false;
    if (Atomics.compareExchange(words, claim, state, (state + 1) | 0) === state) runTask(next);
    return true;
  }

  function waitForAll(count: number): void {
    for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(words, done) === count) return;
    const start = performance.now();
    for (;;) {
      const finished = Atomics.load(words, done);
      if (finished === count) return;
      if (performance.now() - start > lostMilliseconds) {
        throw new CrcnnError(
          "WORKER_LOST",
          `${count - finished} of ${count} tasks were claimed by a thread that has not finished them in ${lostMilliseconds / 1000} s; it has ` +
            "died, make a new engine",
        );
      }
      rest(words, done, finished, 1);
    }
  }

  return {
    begin() {
      if (unfinished) {
        throw new CrcnnError(
          "WORKER_LOST",
          "earlier work of this engine's threads was left unfinished; make a new engine",
        );
      }
      unfinished = true;
      taskCount = 0;
      callCount = 0;
      words[tasks] = 0;
      epoch = (epoch + 1) & 0xff;
      Atomics.store(words, done, 0);
      Atomics.store(words, claim, epoch << (2 * COUNT_BITS));
    },
    beginTask() {
      callCount = words[tasks + taskCount];
    },
    append(kernel, args) {
      const at = calls + callCount++ * CALL_WORDS;
      words[at] = kernel;
      for (let i = 0; i < args.length; i++) words[at + 1 + i] = args[i];
    },
    publishTask() {
      words[tasks + ++taskCount] = callCount;
      // No carry: the count has room, and only claims change the word meanwhile.
      Atomics.add(words, claim, 1 << COUNT_BITS);
      Atomics.notify(words, claim);
    },
    pending: () => ({ tasks: taskCount, calls: callCount }),
    workerTasks: () => words[offset + WORKER_TASKS] >>> 0,
    finish() {
      while (claimAndRun());
      waitForAll(taskCount);
      unfinished = false;
    },
    work() {
      for (;;) {
        let idle = 0;
        while (idle < SPINS) {
          if (claimAndRun()) {
            Atomics.add(words, offset + WORKER_TASKS, 1);
            idle = 0;
          } else idle++;
        }
        const state = Atomics.load(words, claim);
        const allClaimed = (state & MAX_TASKS) >= ((state >>> COUNT_BITS) & MAX_TASKS);
        if (allClaimed) rest(words, claim, state, SLEEP_MILLISECONDS);
      }
    },
  };
}
