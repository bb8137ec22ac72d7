/**
 * Compiled beforehand, where run-time compilation is forbidden (`workerd`, `edge-light`). The build writes the file from the base64;
 * bundlers for both runtimes take the suffix for a `WebAssembly.Module`.
 */

import module from "./kernels.wasm?module";
import type { CompileKernels } from "./module.ts";

/** There are no threads on these runtimes, hence no shared memory. */
export const compileKernels: CompileKernels = () => module;
