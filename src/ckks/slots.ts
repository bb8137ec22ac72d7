/** The canonical embedding: vectors of complex slots to real coefficients and back. */

import { createFft, type Fft, forwardFft, inverseFft } from "./fft.ts";

/** A vector of complex slots; `imaginary` is absent where all slots are real. */
export interface SlotVector {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** The embedding of s slots in the ring of degree 2s. */
export interface Embedding {
  /** s, a power of two. */
  readonly slots: number;
  /** 2s real coefficients, unscaled, of the polynomial with these slots. */
  toCoefficients(slots: {
    readonly real: ArrayLike<number>;
    readonly imaginary?: ArrayLike<number> | undefined;
  }): Float64Array;
  /** The slots of a polynomial with 2s coefficients. */
  toSlots(coefficients: Float64Array): SlotVector;
}

/**
 * Slot j is the polynomial at z^(3^j), where z is the primitive 4s-th root of unity. A real polynomial modulo X^(2s) + 1 is a complex
 * one modulo X^s - i, with coefficient k + s as the imaginary part of k: half the transform. Its roots are those z^e with
 * e = 1 mod 4; slots whose power is 3 mod 4 are read as conjugates of the opposite power.
 */
export function createEmbedding(slots: number): Embedding {
  const fft: Fft = createFft(slots);
  const order = 4 * slots;
  const indexOf = new Map<number, number>();
  for (const [index, exponent] of fft.exponents.entries()) indexOf.set(exponent, index);
  const index = new Int32Array(slots);
  const sign = new Float64Array(slots);
  for (let j = 0, power = 1; j < slots; j++, power = (power * 3) % order) {
    const conjugated = power % 4 === 3;
    sign[j] = conjugated ? -1 : 1;
    index[j] = indexOf.get(conjugated ? order - power : power) as number;
  }
  return {
    slots,
    toCoefficients({ real, imaginary }) {
      const coefficients = new Float64Array(2 * slots);
      const low = coefficients.subarray(0, slots);
      const high = coefficients.subarray(slots);
      for (let j = 0; j < slots; j++) {
        low[index[j]] = real[j];
        if (imaginary) high[index[j]] = sign[j] * imaginary[j];
      }
      inverseFft(fft, low, high);
      return coefficients;
    },
    toSlots(coefficients) {
      const low = coefficients.slice(0, slots);
      const high = coefficients.slice(slots);
      forwardFft(fft, low, high);
      const real = new Float64Array(slots);
      const imaginary = new Float64Array(slots);
      for (let j = 0; j < slots; j++) {
        real[j] = low[index[j]];
        imaginary[j] = sign[j] * high[index[j]];
      }
      return { real, imaginary };
    },
  };
}
