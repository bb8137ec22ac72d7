/** The part of the WebAssembly backend that combines limbs with constant weights (`assembly/combination.ts`). */

import type { Heap } from "../heap.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Modulus } from "../modular.ts";
import type { WasmCalls } from "./backend.ts";

const WORD_BYTES = 4;
/** Words of a source's entry in the argument list: an address and a weight; or an address, nothing, and a double. */
const WEIGHTED_WORDS = 2;
const FACTOR_WORDS = 4;

/** @param constantsOf Address of a prime's constants block. */
export function bindCombinations(
  heap: Heap,
  memory: WebAssembly.Memory,
  { exports: wasm, takeArguments }: WasmCalls,
  constantsOf: (modulus: Modulus) => number,
): Pick<Kernels, "combineLimbs" | "roundedSum"> {
  return {
    combineLimbs(out, sources, weights, count, modulus) {
      const address = constantsOf(modulus);
      const argumentsOffset = takeArguments(WEIGHTED_WORDS * sources.length);
      const { words } = heap;
      for (let j = 0; j < sources.length; j++) {
        words[argumentsOffset + WEIGHTED_WORDS * j] = sources[j] * WORD_BYTES;
        words[argumentsOffset + WEIGHTED_WORDS * j + 1] = weights[j];
      }
      wasm.combineLimbs(out * WORD_BYTES, argumentsOffset * WORD_BYTES, sources.length, count, address);
    },
    roundedSum(low, high, sources, factors, count) {
      const argumentsOffset = takeArguments(FACTOR_WORDS * sources.length);
      const view = new DataView(memory.buffer, argumentsOffset * WORD_BYTES);
      for (let j = 0; j < sources.length; j++) {
        const at = FACTOR_WORDS * WORD_BYTES * j;
        view.setUint32(at, sources[j] * WORD_BYTES, true);
        view.setFloat64(at + 8, factors[j], true);
      }
      wasm.roundedSum(low * WORD_BYTES, high * WORD_BYTES, argumentsOffset * WORD_BYTES, sources.length, count);
    },
  };
}
