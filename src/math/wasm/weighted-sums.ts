/** How weighted sums are called in WebAssembly: lists of addresses, and for each row what undoes the shift of its digits. */

import type { Heap } from "../heap.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { DIGIT, DIGIT_OFFSET } from "../kernels/weighted-sums.ts";
import { multiplyMod, reduceInteger } from "../modular.ts";
import type { WasmCalls } from "./backend.ts";

const WORD_BYTES = 4;
/** Two zeros, p, 1 / p and {@link DIGIT} / p. */
const CONSTANT_WORDS = 5;

export function bindWeightedSums(heap: Heap, memory: WebAssembly.Memory, calls: WasmCalls): Kernels["weightedSums"] {
  return ({ block, sums }, outs, ins, biases, scratch, count, modulus) => {
    const { value: p } = modulus;
    const inputs = calls.takeArguments(ins.length + 3 * outs.length + CONSTANT_WORDS);
    const outputs = inputs + ins.length;
    const additions = outputs + outs.length;
    const zeros = additions + 2 * outs.length;
    const { words } = heap;
    for (let k = 0; k < ins.length; k++) words[inputs + k] = ins[k] * WORD_BYTES;
    for (let r = 0; r < outs.length; r++) {
      words[outputs + r] = outs[r] * WORD_BYTES;
      const offset = multiplyMod(reduceInteger(sums[r], modulus), DIGIT_OFFSET % p, modulus);
      const addition = (offset + biases[r]) % p;
      words[additions + 2 * r] = addition % DIGIT;
      words[additions + 2 * r + 1] = Math.floor(addition / DIGIT);
    }
    words.fill(0, zeros, zeros + 2);
    const constants = new DataView(memory.buffer, (zeros + 2) * WORD_BYTES);
    constants.setUint32(0, p, true);
    constants.setFloat32(4, 1 / p, true);
    constants.setFloat32(8, DIGIT / p, true);
    const [program, first, second] = [block.offset, inputs, outputs].map((at) => at * WORD_BYTES);
    calls.exports.weightedSums(program, first, second, scratch * WORD_BYTES, count);
  };
}
