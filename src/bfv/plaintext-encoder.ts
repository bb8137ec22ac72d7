/** What all encoders have in common, and tensors of any shape on top of it. */

import { CrcnnError } from "../errors/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";

/** Turns numbers into plaintexts, several or one at a time. */
export interface PlaintextEncoder {
  /** Numbers that one plaintext holds: N in a batch, otherwise 1. */
  readonly capacity: number;
  /** Encodes at most `capacity` numbers. */
  encode(values: ArrayLike<number>): BfvPlaintext;
  /** The first `count` numbers, at most `capacity`. */
  decodeValues(plaintext: BfvPlaintext, count: number): Float64Array;
}

/** A dense tensor in row-major order; the shape may be of any length. */
export interface DenseTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** A tensor in plaintexts, the shape kept. */
export interface EncodedTensor {
  readonly shape: readonly number[];
  /** Consecutive elements, as many in each as the encoder's capacity; the last may hold fewer. */
  readonly plaintexts: readonly BfvPlaintext[];
}

/** @throws RangeError where the shape does not fit the data; what the encoder throws for a value, with its index. */
export function encodeTensor(encoder: PlaintextEncoder, { shape, data }: DenseTensor): EncodedTensor {
  const size = elementCount(shape);
  if (data.length !== size) {
    throw new RangeError(`a tensor of shape [${shape.join(", ")}] has ${size} elements, got ${data.length}`);
  }
  const { capacity } = encoder;
  const values = Array.from(data);
  return {
    shape: [...shape],
    plaintexts: Array.from({ length: Math.ceil(size / capacity) }, (_, i) =>
      encoder.encode(values.slice(i * capacity, (i + 1) * capacity)),
    ),
  };
}

/** @throws RangeError where there are more or fewer plaintexts than the shape takes. */
export function decodeTensor(
  encoder: PlaintextEncoder,
  { shape, plaintexts }: EncodedTensor,
): { shape: number[]; data: Float64Array } {
  const size = elementCount(shape);
  const { capacity } = encoder;
  requirePlaintextCount(shape, plaintexts.length, capacity);
  const data = new Float64Array(size);
  for (const [i, plaintext] of plaintexts.entries()) {
    const start = i * capacity;
    data.set(encoder.decodeValues(plaintext, Math.min(capacity, size - start)), start);
  }
  return { shape: [...shape], data };
}

/** @throws RangeError where a tensor has not as many parts as its shape takes. */
export function requirePlaintextCount(shape: readonly number[], found: number, capacity: number): void {
  const expected = Math.ceil(elementCount(shape) / capacity);
  if (found === expected) return;
  throw new RangeError(
    `a tensor of shape [${shape.join(", ")}] stands in ${expected} plaintexts or ciphertexts, got ${found}`,
  );
}

function elementCount(shape: readonly number[]): number {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new RangeError(`shape must hold positive integers, got [${shape.join(", ")}]`);
    }
  }
  return shape.reduce((product, size) => product * size, 1);
}

/** @throws CrcnnError VALUE_RANGE */
export function requireInteger(value: number, smallest: number, largest: number, index: number): void {
  if (Number.isInteger(value) && value >= smallest && value <= largest) return;
  throw new CrcnnError(
    "VALUE_RANGE",
    `value ${index} must be an integer from ${smallest} to ${largest}, got ${value}; scale or round it, or use a larger plainModulus`,
  );
}

/** The one value of an encoder that holds no more. @throws RangeError */
export function requireOneValue(values: ArrayLike<number>): number {
  if (values.length === 1) return values[0]!;
  throw new RangeError(
    `this encoder holds 1 value a plaintext, got ${values.length}; encode a tensor with encodeTensor`,
  );
}
