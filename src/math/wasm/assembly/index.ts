export { convertBasis, dotProduct, liftSingle } from "./dot-product";
export { forwardNtt, inverseNtt } from "./ntt";
export { packBits, unpackBits } from "./packing";
export { add, multiplyScalar, negate, permute, reduceSigned, subtract, subtractMultiplyScalar } from "./pointwise";
export { sampleUniform } from "./uniform";
export { weightedSums } from "./weighted-sums";
