/** The WebAssembly SIMD backend: the kernels of `assembly/`, on the memory that the heap lives in. */

import type { Heap, HeapStorage } from "../heap.ts";
import {
  type DotProductOptions,
  type Kernels,
  MAX_DOT_PRODUCT_TERMS,
  type MixedRadixLift,
  type Pair,
} from "../kernels/kernels.ts";
import { MAX_PRIME_BITS, type Modulus } from "../modular.ts";
import type { WasmExports } from "./module.ts";
import { createUploads, shoupQuotient } from "./uploads.ts";
import { bindWeightedSums } from "./weighted-sums.ts";

const WORD_BYTES = 4;
const PAGE_BYTES = 65_536;
const MAXIMUM_PAGES = 65_536;
/** "expand 32-byte k" (RFC 8439, section 2.3): the first words of a ChaCha20 state. */
const CHACHA_CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
/** Residues that are packed at a time, and what may be read beyond their 30 bits each (`assembly/packing.ts`). */
const PACKED_AT_ONCE = 1024;
const PACKED_WORDS = (PACKED_AT_ONCE * MAX_PRIME_BITS) / 32 + 2;
/** A ChaCha20 state and four blocks of its stream (`assembly/uniform.ts`). */
const CHACHA_WORDS = 16 + 64;
/** Digits of a lift: more primes than any chain has. */
const MAX_DIGITS = 256;
/** Words of a digit's entry (`assembly/mixed-radix.ts`). */
const DIGIT_WORDS = 5;
/** Words of memory that the arguments of one call may take. */
export const ARGUMENT_WORDS: number = Math.max(
  2 * MAX_DOT_PRODUCT_TERMS,
  DIGIT_WORDS * MAX_DIGITS,
  CHACHA_WORDS,
  PACKED_WORDS,
);

/** A heap's words in WebAssembly memory. */
export interface WasmStorage extends HeapStorage {
  readonly memory: WebAssembly.Memory;
}

/** @param shared For threads: growth then keeps old views valid, and the whole 4 GiB of addresses are reserved at once. */
export function createWasmStorage(initialBytes: number, shared: boolean): WasmStorage {
  const initial = Math.ceil(initialBytes / PAGE_BYTES);
  const memory = new WebAssembly.Memory(shared ? { initial, maximum: MAXIMUM_PAGES, shared } : { initial });
  let words = new Int32Array(memory.buffer);
  return {
    memory,
    get words() {
      return words;
    },
    grow(length) {
      memory.grow(Math.ceil((length * WORD_BYTES) / PAGE_BYTES) - memory.buffer.byteLength / PAGE_BYTES);
      words = new Int32Array(memory.buffer);
    },
  };
}

/** What centres residues modulo an odd q and makes them positive modulo p (`assembly/mixed-radix.ts`). */
function centring(q: number, p: number): { half: number; shift: number; multiple: number } {
  const half = (q - 1) / 2;
  let multiple = p;
  while (multiple <= half) multiple *= 2;
  return { half, shift: multiple - q, multiple };
}

/** How kernels are called: at once, or written down for other threads. */
export interface WasmCalls {
  readonly exports: WasmExports;
  /** Word offset of room for as many words of arguments as one call reads from memory. */
  takeArguments(words: number): number;
}

/**
 * Binds the kernels to a heap in WebAssembly memory. Tables, permutations and constants are copied into the heap when they are first
 * used, and stay there as long as the kernels.
 */
export function createWasmKernels(heap: Heap, { memory }: WasmStorage, calls: WasmCalls): Kernels {
  const { exports: wasm, takeArguments } = calls;
  const { tableAddresses, constantsAddress, placesAddress } = createUploads(heap);

  function liftDigits(out: number, digits: ArrayLike<number>, count: number, lift: MixedRadixLift): void {
    const { radices, weights, target } = lift;
    const { value: p } = target;
    const first = centring(radices[0], p);
    if (digits.length === 1) {
      const { half, shift, multiple } = first;
      wasm.liftSingle(out * WORD_BYTES, digits[0] * WORD_BYTES, count, half, shift, multiple, p, shoupQuotient(1, p));
      return;
    }
    const argumentsOffset = takeArguments(DIGIT_WORDS * digits.length);
    const { words } = heap;
    for (let j = 0; j < digits.length; j++) {
      const { half, shift } = centring(radices[j], p);
      const at = argumentsOffset + DIGIT_WORDS * j;
      words[at] = digits[j] * WORD_BYTES;
      words[at + 1] = half;
      words[at + 2] = shift;
      words[at + 3] = weights[j];
      words[at + 4] = shoupQuotient(weights[j], p);
    }
    wasm.liftDigits(out * WORD_BYTES, argumentsOffset * WORD_BYTES, digits.length, count, first.multiple, p);
  }

  function dotProduct(
    out: number,
    lefts: ArrayLike<number>,
    rights: ArrayLike<number>,
    count: number,
    modulus: Modulus,
  ): void {
    const address = constantsAddress(modulus);
    const argumentsOffset = takeArguments(2 * lefts.length);
    const { words } = heap;
    for (let k = 0; k < lefts.length; k++) {
      words[argumentsOffset + 2 * k] = lefts[k] * WORD_BYTES;
      words[argumentsOffset + 2 * k + 1] = rights[k] * WORD_BYTES;
    }
    wasm.dotProduct(out * WORD_BYTES, argumentsOffset * WORD_BYTES, lefts.length, count, address);
  }

  function dotProductPair(
    outs: Pair<number>,
    [lefts0, lefts1]: Pair<ArrayLike<number>>,
    rights: ArrayLike<number>,
    count: number,
    modulus: Modulus,
    { initial, permutation }: DotProductOptions = {},
  ): void {
    const address = constantsAddress(modulus);
    const places = permutation ? placesAddress(permutation) : 0;
    const argumentsOffset = takeArguments(3 * rights.length);
    const { words } = heap;
    for (let k = 0; k < rights.length; k++) {
      const at = argumentsOffset + 3 * k;
      words[at] = lefts0[k] * WORD_BYTES;
      words[at + 1] = lefts1[k] * WORD_BYTES;
      words[at + 2] = rights[k] * WORD_BYTES;
    }
    wasm.dotProductPair(
      outs[0] * WORD_BYTES,
      outs[1] * WORD_BYTES,
      // No limb stands at address 0: arguments were there before.
      (initial?.[0] ?? 0) * WORD_BYTES,
      (initial?.[1] ?? 0) * WORD_BYTES,
      argumentsOffset * WORD_BYTES,
      rights.length,
      count,
      address,
      places,
    );
  }

  function combineLimbs(
    out: number,
    sources: ArrayLike<number>,
    weights: Int32Array,
    count: number,
    modulus: Modulus,
  ): void {
    const address = constantsAddress(modulus);
    const argumentsOffset = takeArguments(2 * sources.length);
    const { words } = heap;
    for (let j = 0; j < sources.length; j++) {
      words[argumentsOffset + 2 * j] = sources[j] * WORD_BYTES;
      words[argumentsOffset + 2 * j + 1] = weights[j];
    }
    wasm.combineLimbs(out * WORD_BYTES, argumentsOffset * WORD_BYTES, sources.length, count, address);
  }

  function roundedSum(
    low: number,
    high: number,
    sources: ArrayLike<number>,
    factors: Float64Array,
    count: number,
  ): void {
    const argumentsOffset = takeArguments(4 * sources.length);
    const view = new DataView(memory.buffer, argumentsOffset * WORD_BYTES);
    for (let j = 0; j < sources.length; j++) {
      view.setUint32(16 * j, sources[j] * WORD_BYTES, true);
      view.setFloat64(16 * j + 8, factors[j], true);
    }
    wasm.roundedSum(low * WORD_BYTES, high * WORD_BYTES, argumentsOffset * WORD_BYTES, sources.length, count);
  }

  function sampleUniform(out: number, count: number, { value }: Modulus, seed: Uint8Array, nonce: Uint8Array): void {
    const argumentsOffset = takeArguments(CHACHA_WORDS);
    const state = argumentsOffset * WORD_BYTES;
    const bytes = new Uint8Array(memory.buffer, state);
    heap.words.set(CHACHA_CONSTANTS, argumentsOffset);
    bytes.set(seed, 16);
    bytes.fill(0, 48, 52);
    bytes.set(nonce, 52);
    wasm.sampleUniform(out * WORD_BYTES, count, value, state);
  }

  function packBits(out: Uint8Array, limb: number, count: number, bits: number): void {
    const stage = takeArguments(PACKED_WORDS) * WORD_BYTES;
    for (let start = 0; start < count; start += PACKED_AT_ONCE) {
      const length = Math.min(PACKED_AT_ONCE, count - start);
      wasm.packBits(stage, (limb + start) * WORD_BYTES, length, bits);
      out.set(new Uint8Array(memory.buffer, stage, (length * bits) / 8), (start * bits) / 8);
    }
  }

  function unpackBits(out: number, bytes: Uint8Array, count: number, bits: number): number {
    const stage = takeArguments(PACKED_WORDS) * WORD_BYTES;
    const staged = new Uint8Array(memory.buffer, stage, PACKED_WORDS * WORD_BYTES);
    let largest = 0;
    for (let start = 0; start < count; start += PACKED_AT_ONCE) {
      const length = Math.min(PACKED_AT_ONCE, count - start);
      staged.set(bytes.subarray((start * bits) / 8, ((start + length) * bits) / 8));
      largest = Math.max(largest, wasm.unpackBits((out + start) * WORD_BYTES, stage, length, bits));
    }
    return largest;
  }

  return {
    backend: "wasm",
    forwardNtt(limb, table) {
      const { roots, quotients } = tableAddresses(table);
      wasm.forwardNtt(limb * WORD_BYTES, roots, quotients, table.ringDegree, table.modulus.value);
    },
    inverseNtt(limb, table) {
      const { inverseRoots, inverseQuotients, scaleQuotient, scaledRoot, scaledRootQuotient } = tableAddresses(table);
      const { ringDegree, modulus, inverseDegree } = table;
      wasm.inverseNtt(
        limb * WORD_BYTES,
        inverseRoots,
        inverseQuotients,
        ringDegree,
        modulus.value,
        inverseDegree,
        scaleQuotient,
        scaledRoot,
        scaledRootQuotient,
      );
    },
    add: (out, left, right, count, { value }) =>
      wasm.add(out * WORD_BYTES, left * WORD_BYTES, right * WORD_BYTES, count, value),
    subtract: (out, left, right, count, { value }) =>
      wasm.subtract(out * WORD_BYTES, left * WORD_BYTES, right * WORD_BYTES, count, value),
    negate: (out, limb, count, { value }) => wasm.negate(out * WORD_BYTES, limb * WORD_BYTES, count, value),
    multiply: (out, left, right, count, modulus) => dotProduct(out, [left], [right], count, modulus),
    multiplyScalar: (out, limb, scalar, count, { value }) =>
      wasm.multiplyScalar(out * WORD_BYTES, limb * WORD_BYTES, scalar, shoupQuotient(scalar, value), count, value),
    subtractMultiplyScalar: (out, left, right, scalar, count, { value }) =>
      wasm.subtractMultiplyScalar(
        out * WORD_BYTES,
        left * WORD_BYTES,
        right * WORD_BYTES,
        scalar,
        shoupQuotient(scalar, value),
        count,
        value,
      ),
    dotProduct,
    weightedSums: bindWeightedSums(heap, memory, calls),
    dotProductPair,
    combineLimbs,
    roundedSum,
    liftDigits,
    permute: (out, limb, permutation) =>
      wasm.permute(out * WORD_BYTES, limb * WORD_BYTES, placesAddress(permutation), permutation.length),
    setSigned(out, values, { value }) {
      heap.words.set(values, out);
      wasm.reduceSigned(out * WORD_BYTES, values.length, value);
    },
    sampleUniform,
    packBits,
    unpackBits,
  };
}
