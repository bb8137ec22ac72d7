/** The BFV scheme on public material: encoders, public-key encryption, evaluation, noise estimate. Decryption is in `crcnn/owner`. */
export * from "./batch-encoder.ts";
export type { BfvCiphertext, BfvPlaintext } from "./ciphertext.ts";
export { createDigitSystem, type DigitSystem, FRACTIONAL_DIGITS } from "./digits.ts";
export * from "./encrypt.ts";
export * from "./evaluator.ts";
export * from "./fractional-encoder.ts";
export * from "./integer-encoder.ts";
export { MAX_SQUARES, multiplyComponents, sumOfSquares } from "./multiply.ts";
export * from "./noise-estimate.ts";
export { requirePlainModulus } from "./operands.ts";
export * from "./parameters.ts";
export { type BfvFactor, scaledPlaintext } from "./plaintext.ts";
export * from "./plaintext-encoder.ts";
export { auxiliaryCount, type ProductMaps, type ProductVariant, squareWork } from "./product-maps.ts";
export * from "./seed-parameters.ts";
export * from "./wire.ts";
