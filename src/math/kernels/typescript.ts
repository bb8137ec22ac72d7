/** The TypeScript backend: always there, the readable reference. */

import type { Heap } from "../heap.ts";
import { expandSeed } from "../random.ts";
import { combineLimbs, roundedSum } from "./combination.ts";
import { createAccumulators, dotProduct } from "./dot-product.ts";
import type { Kernels } from "./kernels.ts";
import { liftDigits } from "./mixed-radix.ts";
import { forwardNtt, inverseNtt } from "./ntt.ts";
import { packBits, unpackBits } from "./packing.ts";
import * as pointwise from "./pointwise.ts";
import { sampleUniform } from "./uniform.ts";
import { createWeightedScratch, weightedSums } from "./weighted-sums.ts";

/** Binds the TypeScript kernels to a heap. The heap's words are read afresh at each call, since growth replaces them. */
export function createTypescriptKernels(heap: Heap): Kernels {
  const accumulators = createAccumulators();
  const sums = createWeightedScratch();
  return {
    backend: "ts",
    forwardNtt: (limb, table) => forwardNtt(heap.words, limb, table),
    inverseNtt: (limb, table) => inverseNtt(heap.words, limb, table),
    add: (out, left, right, count, modulus) => pointwise.add(heap.words, out, left, right, count, modulus),
    subtract: (out, left, right, count, modulus) => pointwise.subtract(heap.words, out, left, right, count, modulus),
    negate: (out, limb, count, modulus) => pointwise.negate(heap.words, out, limb, count, modulus),
    multiply: (out, left, right, count, modulus) => pointwise.multiply(heap.words, out, left, right, count, modulus),
    multiplyScalar: (out, limb, scalar, count, modulus) =>
      pointwise.multiplyScalar(heap.words, out, limb, scalar, count, modulus),
    subtractMultiplyScalar: (out, left, right, scalar, count, modulus) =>
      pointwise.subtractMultiplyScalar(heap.words, out, left, right, scalar, count, modulus),
    dotProduct: (out, lefts, rights, count, modulus) =>
      dotProduct(heap.words, accumulators, out, lefts, rights, count, modulus),
    weightedSums: (program, outs, ins, biases, _scratch, count, modulus) =>
      weightedSums(heap.words, sums, program, outs, ins, biases, count, modulus),
    dotProductPair(outs, lefts, rights, count, modulus, { initial, permutation } = {}) {
      for (const i of [0, 1] as const) {
        dotProduct(heap.words, accumulators, outs[i], lefts[i], rights, count, modulus, initial?.[i], permutation);
      }
    },
    combineLimbs: (out, sources, weights, count, modulus) =>
      combineLimbs(heap.words, out, sources, weights, count, modulus),
    roundedSum: (low, high, sources, factors, count) => roundedSum(heap.words, low, high, sources, factors, count),
    liftDigits: (out, digits, count, lift) => liftDigits(heap.words, out, digits, count, lift),
    permute: (out, limb, permutation) => pointwise.permute(heap.words, out, limb, permutation),
    setSigned: (out, values, modulus) => pointwise.setSigned(heap.words, out, values, modulus),
    sampleUniform: (out, count, modulus, seed, nonce) =>
      sampleUniform(heap.words.subarray(out, out + count), modulus, expandSeed(seed, nonce)),
    packBits: (out, limb, count, bits) => packBits(heap.words, out, limb, count, bits),
    unpackBits: (out, bytes, count, bits) => unpackBits(heap.words, out, bytes, count, bits),
  };
}
