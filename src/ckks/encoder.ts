/** Encoding vectors as plaintext polynomials and back (Cheon, Kim, Kim, Song, "Homomorphic Encryption for Arithmetic of Approximate Numbers", ASIACRYPT 2017, section 3). */

import { CrcnnError } from "../errors/index.ts";
import {
  type Basis,
  fromSigned,
  limbOffset,
  type Modulus,
  type Polynomial,
  type Ring,
  reduceInteger,
  toMixedRadix,
  toNtt,
  zeroPolynomial,
} from "../math/index.ts";
import type { RlweContext } from "../rlwe/index.ts";
import { formatScale, requireScale } from "./scale.ts";
import { createEmbedding, type Embedding, type SlotVector } from "./slots.ts";

/** A plaintext polynomial: slots times scale, rounded, modulo q_0 … q_level. */
export interface Plaintext {
  readonly polynomial: Polynomial<"ntt">;
  readonly level: number;
  readonly scale: number;
}

/** Values to encode: reals, or complex numbers as two arrays of the same length. */
export type SlotValues =
  | ArrayLike<number>
  | { readonly real: ArrayLike<number>; readonly imaginary?: ArrayLike<number> | undefined };

export interface EncodeOptions {
  readonly scale: number;
  /** Only the limbs 0 … level are made. The top level by default. */
  readonly level?: number;
  /** Limbs for the special primes are made, too, as products with raised ciphertexts need them. */
  readonly raised?: boolean;
}

/** Decoded slots. */
export interface DecodedSlots extends SlotVector {
  /** The largest coefficient as a part of the largest that the modulus holds: near 1 where values have wrapped around. */
  readonly fill: number;
}

export interface Encoder {
  /** Slots of a full ciphertext: N / 2. */
  readonly slots: number;
  /**
   * Encodes a vector whose length s is a power of two, at most N / 2. A shorter vector is sparse: it stands for itself repeated N / (2s)
   * times, so rotations turn it modulo s.
   *
   * @throws RangeError for another length or values that are not finite; CrcnnError SCALE_OVERFLOW when a coefficient does not fit
   * the modulus.
   */
  encode(values: SlotValues, options: EncodeOptions): Plaintext;
  /** The same number in every slot: only the constant coefficient is set, no transform is needed. */
  encodeConstant(value: number, options: EncodeOptions): Plaintext;
  /**
   * Decodes a polynomial in coefficient form.
   *
   * @param slots How many slots to read, a power of two; fewer than N / 2 reads a sparse vector. N / 2 by default.
   */
  decode(message: Polynomial<"coefficient">, scale: number, slots?: number): DecodedSlots;
}

/** Powers of 3 modulo 4 alternate between a root and its conjugate; a single complex slot is two equal ones therefore. */
const SMALLEST_EMBEDDING = 2;

/** Integers of 2^84 and more, of either sign, cannot be reduced from a double; no sensible scale comes near. */
const LARGEST_RANGE = 2 ** 85;

export function createEncoder(context: RlweContext): Encoder {
  const { ring, maxLevel } = context;
  const maximumSlots = ring.degree / 2;
  const embeddings = new Map<number, Embedding>();

  function embedding(slots: number): Embedding {
    let found = embeddings.get(slots);
    if (!found) {
      found = createEmbedding(slots);
      embeddings.set(slots, found);
    }
    return found;
  }

  function requireSlots(slots: number): void {
    if (Number.isInteger(Math.log2(slots)) && slots >= 1 && slots <= maximumSlots) return;
    throw new RangeError(`the number of slots must be a power of two, at most ${maximumSlots}, got ${slots}`);
  }

  /** Rounds scaled coefficients that stand `gap` apart into residues. */
  function toPlaintext(
    coefficients: Float64Array,
    gap: number,
    { scale, level = maxLevel, raised = false }: EncodeOptions,
  ): Plaintext {
    const moduli = context.dataBasis(level).map((index) => ring.moduli[index]);
    const largest = largestMagnitude(coefficients);
    requireFitting(largest, scale, moduli);
    const basis = raised ? context.keyBasis(level) : context.dataBasis(level);
    const fits = basis.every((index) => largest < ring.moduli[index].value);
    const polynomial = (fits ? fromSmall : fromLarge)(ring, basis, coefficients, gap);
    return { polynomial: toNtt(polynomial), level, scale };
  }

  return {
    slots: maximumSlots,
    encode(values, options) {
      requireScale(options.scale);
      const vector = "real" in values ? values : { real: values };
      const { length } = vector.real;
      if (vector.imaginary && vector.imaginary.length !== length) {
        throw new RangeError(`values: ${length} real parts but ${vector.imaginary.length} imaginary parts`);
      }
      requireSlots(length);
      const { slots, toCoefficients } = embedding(Math.max(length, SMALLEST_EMBEDDING));
      const coefficients = toCoefficients(length < slots ? repeat(vector, slots) : vector);
      for (let i = 0; i < coefficients.length; i++) coefficients[i] = Math.round(coefficients[i] * options.scale);
      return toPlaintext(coefficients, maximumSlots / slots, options);
    },
    encodeConstant(value, options) {
      requireScale(options.scale);
      return toPlaintext(Float64Array.of(Math.round(value * options.scale)), ring.degree, options);
    },
    decode(message, scale, slots = maximumSlots) {
      requireScale(scale);
      requireSlots(slots);
      const { slots: embedded, toSlots } = embedding(Math.max(slots, SMALLEST_EMBEDDING));
      const coefficients = centredCoefficients(message, maximumSlots / embedded);
      const half = message.basis.reduce((product, index) => product * ring.moduli[index].value, 0.5);
      const fill = largestMagnitude(coefficients) / half;
      for (let i = 0; i < coefficients.length; i++) coefficients[i] /= scale;
      const { real, imaginary } = toSlots(coefficients);
      return { real: real.subarray(0, slots), imaginary: imaginary.subarray(0, slots), fill };
    },
  };
}

/** A slot by itself, repeated `slots` times. */
function repeat({ real, imaginary }: Exclude<SlotValues, ArrayLike<number>>, slots: number): SlotVector {
  return {
    real: new Float64Array(slots).fill(real[0]),
    imaginary: new Float64Array(slots).fill(imaginary ? imaginary[0] : 0),
  };
}

/** @throws RangeError for NaN or infinity. */
function largestMagnitude(coefficients: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < coefficients.length; i++) {
    const magnitude = Math.abs(coefficients[i]);
    if (!(magnitude < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`values must be finite numbers, got one that becomes ${coefficients[i]}`);
    }
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/** The polynomial with coefficients below every prime, `gap` apart. */
function fromSmall(ring: Ring, basis: Basis, coefficients: Float64Array, gap: number): Polynomial<"coefficient"> {
  const signed = new Int32Array(ring.degree);
  for (let i = 0; i < coefficients.length; i++) signed[i * gap] = coefficients[i];
  return fromSigned(ring, basis, signed);
}

/** The polynomial with coefficients of up to 2^84, `gap` apart. */
function fromLarge(ring: Ring, basis: Basis, coefficients: Float64Array, gap: number): Polynomial<"coefficient"> {
  const polynomial = zeroPolynomial(ring, basis, "coefficient");
  const { words } = ring.heap;
  for (const [k, index] of basis.entries()) {
    const limb = limbOffset(polynomial, k);
    for (let i = 0; i < coefficients.length; i++) {
      words[limb + i * gap] = reduceInteger(coefficients[i], ring.moduli[index]);
    }
  }
  return polynomial;
}

/** @throws CrcnnError SCALE_OVERFLOW where the largest coefficient reaches half the modulus. */
function requireFitting(largest: number, scale: number, moduli: readonly Modulus[]): void {
  const modulus = moduli.reduce((product, { value }) => product * value, 1);
  const limit = Math.min(modulus, LARGEST_RANGE);
  if (2 * largest < limit) return;
  const holder = limit < modulus ? "an encoder takes" : `the modulus at level ${moduli.length - 1} has`;
  throw new CrcnnError(
    "SCALE_OVERFLOW",
    `a value encoded at scale ${formatScale(scale)} needs ${(Math.log2(largest) + 1).toFixed(1)} bits, ${holder} ` +
      `${Math.log2(limit).toFixed(1)}: encode at a smaller scale${limit < modulus ? "" : " or a higher level"}`,
  );
}

/**
 * Every `gap`-th coefficient as a double, centred: x in [-Q/2, Q/2). Mixed-radix digits compare and sum without big integers:
 * x = d_0 + q_0 (d_1 + q_1 (d_2 + …)). With centred digits the sum is centred, too, and a digit is at most half of what the higher
 * ones stand for, so nothing cancels.
 */
function centredCoefficients(message: Polynomial<"coefficient">, gap: number): Float64Array {
  const { ring, basis } = message;
  const { heap, moduli } = ring;
  const count = ring.degree / gap;
  const scratch = heap.allocate((basis.length + 1) * count);
  const digits = basis.map((_, k) => scratch.offset + k * count);
  for (const [k, digit] of digits.entries()) {
    const { words } = heap;
    const limb = limbOffset(message, k);
    if (gap === 1) words.copyWithin(digit, limb, limb + count);
    else for (let i = 0; i < count; i++) words[digit + i] = words[limb + i * gap];
  }
  toMixedRadix(ring, digits, basis, count, scratch.offset + basis.length * count);
  const out = new Float64Array(count);
  const { words } = heap;
  for (const [k, digit] of [...digits.entries()].reverse()) {
    const { value: q } = moduli[basis[k]];
    const half = (q - 1) / 2;
    for (let i = 0; i < count; i++) {
      const residue = words[digit + i];
      // Half of all digits are negative: a branch would be guessed wrong as often as right.
      out[i] = out[i] * q + (residue - (((half - residue) >> 31) & q));
    }
  }
  scratch.free();
  return out;
}
