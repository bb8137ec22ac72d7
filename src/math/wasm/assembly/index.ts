export { combineLimbs, roundedSum } from "./combination";
export { dotProduct, dotProductPair } from "./dot-product";
export { liftDigits, liftSingle } from "./mixed-radix";
export { forwardNtt, inverseNtt } from "./ntt";
export { packBits, unpackBits } from "./packing";
export { permute } from "./permutation";
export { add, multiplyScalar, negate, reduceSigned, subtract, subtractMultiplyScalar } from "./pointwise";
export { sampleUniform } from "./uniform";
export { weightedSums } from "./weighted-sums";
