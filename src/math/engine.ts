/** Choosing kernels and threads: WebAssembly SIMD where the engine has it, TypeScript everywhere else. */

import { processors, startWorkers } from "#threads";
import { createHeap, type Heap } from "./heap.ts";
import { createTypescriptKernels } from "./kernels/typescript.ts";
import type { ParallelFor, RingEngine } from "./ring.ts";
import { createJobQueue, QUEUE_WORDS } from "./threads/job-queue.ts";
import { createRecorder } from "./threads/recorder.ts";
import { ARGUMENT_WORDS, createWasmKernels, createWasmStorage, type WasmStorage } from "./wasm/backend.ts";
import { instantiateKernels, supportsWasmKernels } from "./wasm/module.ts";

/** Which kernels compute. They agree bit for bit. */
export type Backend = "ts" | "wasm";

/** A heap with the kernels that work on it, and a way to run them side by side. */
export interface Engine extends RingEngine {
  /** Tasks that other threads have run so far: shows whether they take part. */
  readonly sharedTasks: number;
  /** Stops the other threads. The engine must not be used any more. */
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Forces a backend; the fastest that this engine runs by default. */
  readonly backend?: Backend | undefined;
  /** Ceiling of the heap, at most 4 GiB (the default). */
  readonly maximumBytes?: number | undefined;
  /** Bytes that the heap starts with. */
  readonly initialBytes?: number | undefined;
}

export interface ThreadedEngineOptions extends Omit<EngineOptions, "backend"> {
  /** Threads, the calling one included; "auto" takes one for each processor, at most {@link MAX_AUTO_THREADS}. */
  readonly threads: number | "auto";
}

/** A level has few limbs, so more threads than this find nothing to do. */
const MAX_AUTO_THREADS = 8;
/** More threads than this are refused. */
export const MAX_THREADS = 64;

/** An engine of one thread. @throws RangeError when "wasm" is asked for where WebAssembly SIMD is missing. */
export function createEngine({ backend, ...sizes }: EngineOptions = {}): Engine {
  if ((backend ?? (supportsWasmKernels() ? "wasm" : "ts")) === "ts") {
    const heap = createHeap(sizes);
    return { heap, kernels: createTypescriptKernels(heap), ...SINGLE };
  }
  if (!supportsWasmKernels()) {
    throw new RangeError(
      'backend "wasm" needs WebAssembly with SIMD, which this engine lacks; use "ts" or leave it out',
    );
  }
  const { heap, storage } = createWasmHeap(sizes, false);
  const argumentsOffset = heap.allocatePermanent(ARGUMENT_WORDS);
  const calls = { exports: instantiateKernels(storage.memory), takeArguments: () => argumentsOffset };
  return { heap, kernels: createWasmKernels(heap, storage, calls), ...SINGLE };
}

/**
 * An engine of several threads on one shared heap. Where no thread can be started (no Worker, no shared memory, no SIMD) it is one of a
 * single thread: chosen by the import condition of `#threads`, never by trying.
 *
 * @throws RangeError for a number of threads that is not an integer from 1 to 64; CrcnnError WORKER_FAILED where one does not start.
 */
export async function createThreadedEngine({ threads, ...sizes }: ThreadedEngineOptions): Promise<Engine> {
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    throw new RangeError(`threads must be an integer from 1 to ${MAX_THREADS} or "auto", got ${threads}`);
  }
  const count = threads === "auto" ? Math.min(processors(), MAX_AUTO_THREADS) : threads;
  const possible = typeof SharedArrayBuffer === "function" && supportsWasmKernels();
  if (count === 1 || !startWorkers || !possible) return createEngine(sizes);
  const { heap, storage } = createWasmHeap(sizes, true);
  const { memory } = storage;
  const wasm = instantiateKernels(memory);
  const queueOffset = heap.allocatePermanent(QUEUE_WORDS);
  const argumentsOffset = heap.allocatePermanent(THREADED_ARGUMENT_WORDS);
  const workers = await startWorkers(count - 1, { memory, queueOffset });
  const queue = createJobQueue(heap.words, queueOffset, wasm);
  const recorder = createRecorder(queue, wasm, argumentsOffset, THREADED_ARGUMENT_WORDS);
  return {
    heap,
    kernels: createWasmKernels(heap, storage, recorder),
    parallel: recorder.parallel,
    get threads() {
      return 1 + workers.alive();
    },
    get sharedTasks() {
      return queue.workerTasks();
    },
    close: () => workers.stop(),
  };
}

/** Room for the arguments of a batch of tasks. */
const THREADED_ARGUMENT_WORDS: number = 64 * ARGUMENT_WORDS;

/** One task after the other, on the calling thread. */
const inOrder: ParallelFor = (count, task) => {
  for (let index = 0; index < count; index++) task(index);
};

const SINGLE = { parallel: inOrder, threads: 1, sharedTasks: 0, close: async (): Promise<void> => {} };

function createWasmHeap(sizes: Omit<EngineOptions, "backend">, shared: boolean): { heap: Heap; storage: WasmStorage } {
  let storage: WasmStorage | undefined;
  const createStorage = (initialBytes: number): WasmStorage => {
    storage = createWasmStorage(initialBytes, shared);
    return storage;
  };
  const heap = createHeap({ ...sizes, createStorage });
  return { heap, storage: storage as unknown as WasmStorage };
}
