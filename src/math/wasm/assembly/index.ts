export { convertBasis, dotProduct, liftSingle } from "./dot-product";
export { forwardNtt, inverseNtt } from "./ntt";
export { add, multiplyScalar, negate, permute, subtract, subtractMultiplyScalar } from "./pointwise";
