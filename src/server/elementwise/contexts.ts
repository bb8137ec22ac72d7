/** The BFV context of one thread, on an engine of its own. */

import { type BfvContext, type BfvParameters, createBfvContext } from "../../bfv/index.ts";
import { createEngine } from "../../math/index.ts";

export interface BfvContexts {
  /** The context for these parameters. Those made before for others must not be used any more. */
  contextFor(parameters: BfvParameters): BfvContext;
  /** To be called when nothing is held on the heap: gives up one that has grown. */
  trim(): void;
}

/** Most bytes of a heap: a request brings and takes away a quarter of it at most. */
const HEAP_BYTES = 2 ** 31;

/**
 * One context at a time: the heap keeps the tables of all parameters that it met, and any client may name others, so it goes with them. It is
 * of one thread, since there is too little work in an operation at N = 2048 to share it out.
 *
 * @param keptBytes A heap that has grown past this is not kept.
 */
export function createBfvContexts(keptBytes: number): BfvContexts {
  let held: { readonly id: string; readonly context: BfvContext } | undefined;
  return {
    contextFor(parameters) {
      const id = JSON.stringify(parameters);
      if (held?.id !== id) {
        held = undefined;
        held = { id, context: createBfvContext(parameters, { engine: createEngine({ maximumBytes: HEAP_BYTES }) }) };
      }
      return held.context;
    },
    trim() {
      if (held && held.context.ring.heap.usage().reserved > keptBytes) held = undefined;
    },
  };
}
