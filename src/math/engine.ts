/** Choosing kernels: WebAssembly SIMD where the engine has it, TypeScript everywhere else. */

import { createHeap, type Heap } from "./heap.ts";
import type { Kernels } from "./kernels/kernels.ts";
import { createTypescriptKernels } from "./kernels/typescript.ts";
import { createWasmKernels, createWasmStorage, type WasmStorage } from "./wasm/backend.ts";
import { supportsWasmKernels } from "./wasm/module.ts";

/** Which kernels compute. They agree bit for bit. */
export type Backend = "ts" | "wasm";

/** A heap with the kernels that work on it. */
export interface Engine {
  readonly heap: Heap;
  readonly kernels: Kernels;
}

export interface EngineOptions {
  /** Forces a backend; the fastest that this engine runs by default. */
  readonly backend?: Backend | undefined;
  /** Ceiling of the heap, at most 4 GiB (the default). */
  readonly maximumBytes?: number | undefined;
  /** Bytes that the heap starts with. */
  readonly initialBytes?: number | undefined;
}

/** @throws RangeError when "wasm" is asked for where WebAssembly SIMD is missing. */
export function createEngine({ backend, ...sizes }: EngineOptions = {}): Engine {
  if ((backend ?? (supportsWasmKernels() ? "wasm" : "ts")) === "ts") {
    const heap = createHeap(sizes);
    return { heap, kernels: createTypescriptKernels(heap) };
  }
  if (!supportsWasmKernels()) {
    throw new RangeError(
      'backend "wasm" needs WebAssembly with SIMD, which this engine lacks; use "ts" or leave it out',
    );
  }
  let storage: WasmStorage | undefined;
  const createStorage = (initialBytes: number): WasmStorage => {
    storage = createWasmStorage(initialBytes);
    return storage;
  };
  const heap = createHeap({ ...sizes, createStorage });
  return { heap, kernels: createWasmKernels(heap, storage as unknown as WasmStorage) };
}
