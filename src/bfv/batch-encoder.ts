/** Batching: N integers modulo t as one plaintext, in SEAL's order (Smart and Vercauteren, "Fully Homomorphic SIMD Operations", 2014). */

import { createNttTable, isPrime, modulus, type NttTable, reverseBits } from "../math/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";
import { requirePlainModulus } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";
import { type PlaintextEncoder, requireInteger } from "./plaintext-encoder.ts";

export interface BatchEncoder extends PlaintextEncoder {
  readonly kind: "batch";
  /** N: a matrix of two rows of N/2 columns, row by row. */
  readonly slots: number;
  /**
   * Encodes at most N integers from -t/2 to t - 1; missing ones are 0.
   *
   * @throws RangeError for too many values; CrcnnError VALUE_RANGE for a value that is no integer in that range.
   */
  encode(values: ArrayLike<number>): BfvPlaintext;
  /** All N slots: in [-t/2, t/2) by default, in [0, t) where `signed` is false. */
  decode(plaintext: BfvPlaintext, options?: { readonly signed?: boolean }): Int32Array;
}

/** @throws RangeError where t is not a prime that is 1 modulo 2N. */
export function createBatchEncoder(context: BfvContext): BatchEncoder {
  const { ring, plainModulus: t } = context;
  const { degree, heap, kernels } = ring;
  if (!isPrime(t) || t % (2 * degree) !== 1) {
    throw new RangeError(
      `batching needs a plainModulus that is a prime and 1 modulo ${2 * degree}, got ${t}; choose one with findNttPrimes(${degree}, [bits])`,
    );
  }
  const table: NttTable = createNttTable(degree, modulus(t));
  const positions = slotPositions(degree);
  const smallest = -Math.floor(t / 2);

  const encoder: BatchEncoder = {
    kind: "batch",
    slots: degree,
    capacity: degree,
    encode(values) {
      if (values.length > degree) throw new RangeError(`batching holds ${degree} values, got ${values.length}`);
      const slots = new Int32Array(degree);
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        requireInteger(value, smallest, t - 1, i);
        slots[positions[i]!] = value < 0 ? value + t : value;
      }
      const scratch = heap.allocate(degree);
      heap.words.set(slots, scratch.offset);
      kernels.inverseNtt(scratch.offset, table);
      const coefficients = heap.words.slice(scratch.offset, scratch.offset + degree);
      heap.words.fill(0, scratch.offset, scratch.offset + degree);
      scratch.free();
      return { coefficients, plainModulus: t };
    },
    decode(plaintext, { signed = true } = {}) {
      requirePlainModulus("decode", context, plaintext);
      const scratch = heap.allocate(degree);
      heap.words.set(plaintext.coefficients, scratch.offset);
      kernels.forwardNtt(scratch.offset, table);
      const slots = heap.words.slice(scratch.offset, scratch.offset + degree);
      heap.words.fill(0, scratch.offset, scratch.offset + degree);
      scratch.free();
      const values = new Int32Array(degree);
      const limit = signed ? t / 2 : t;
      for (let i = 0; i < degree; i++) {
        const value = slots[positions[i]!]!;
        values[i] = value < limit ? value : value - t;
      }
      return values;
    },
    decodeValues(plaintext, count) {
      return Float64Array.from(encoder.decode(plaintext).subarray(0, count));
    },
  };
  return encoder;
}

/** Where slot i stands among the NTT values: row 0 at the root's powers 3^i, row 1 at their inverses. */
function slotPositions(degree: number): Int32Array {
  const bits = Math.log2(degree);
  const order = 2 * degree;
  const positions = new Int32Array(degree);
  for (let i = 0, power = 1; i < degree / 2; i++, power = (power * 3) % order) {
    positions[i] = reverseBits((power - 1) / 2, bits);
    positions[i + degree / 2] = reverseBits((order - power - 1) / 2, bits);
  }
  return positions;
}
