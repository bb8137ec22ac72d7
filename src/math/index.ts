/** Words, primes, transforms, RNS polynomials and sampling. Knows no cryptography. */
export * from "./automorphism.ts";
export * from "./base-conversion.ts";
export * from "./basis-map.ts";
export * from "./engine.ts";
export * from "./heap.ts";
export * from "./kernels/kernels.ts";
export { createTypescriptKernels } from "./kernels/typescript.ts";
export {
  encodeWeightedSums,
  MAX_WEIGHT,
  MAX_WEIGHT_SUM,
  MAX_WEIGHTED_COLUMNS,
  MAX_WEIGHTED_ROWS,
  WEIGHTED_PRIME_FLOOR,
  type WeightedRow,
  type WeightedSums,
  weightedScratchWords,
} from "./kernels/weighted-sums.ts";
export * from "./modular.ts";
export * from "./ntt-table.ts";
export * from "./polynomial.ts";
export * from "./primes.ts";
export * from "./random.ts";
export * from "./ring.ts";
export * from "./sampling.ts";
