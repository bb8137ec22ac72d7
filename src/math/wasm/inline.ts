/** Compiled at run time from the base64 that stands beside its source. */

import { KERNELS_BASE64, SHARED_KERNELS_BASE64 } from "./kernels.gen.ts";
import type { CompileKernels } from "./module.ts";

export const compileKernels: CompileKernels = (shared) => {
  const bytes = atob(shared ? SHARED_KERNELS_BASE64 : KERNELS_BASE64);
  return new WebAssembly.Module(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
};
