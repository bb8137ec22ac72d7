/** Random polynomials: uniform for each prime by rejection, ternary, and centred binomial. */

import { allocatePolynomial, limbOffset, type Polynomial } from "./polynomial.ts";
import { NONCE_BYTES, type RandomSource, SEED_BYTES } from "./random.ts";
import type { Basis, Ring } from "./ring.ts";

/** Errors are the difference of two sums of this many bits: CBD(21), variance 10.5, sigma 3.24, as SEAL has it. */
export const BINOMIAL_BITS = 21;
/** Variance of the error distribution. */
export const ERROR_VARIANCE: number = BINOMIAL_BITS / 2;
/** Errors whose bits are drawn together: their words stay in the first-level cache. */
const ERRORS_AT_ONCE = 2048;
const WORD_BYTES = 4;
/** Variance of a uniform ternary secret. */
export const TERNARY_VARIANCE: number = 2 / 3;

/** Uniform values in {-1, 0, 1}, without bias: byte values of 255 are thrown away. */
export function sampleTernary(count: number, random: RandomSource): Int32Array {
  const out = new Int32Array(count);
  const bytes = new Uint8Array(4096);
  for (let filled = 0; filled < count; ) {
    random(bytes);
    for (let at = 0; at < bytes.length && filled < count; at++) {
      if (bytes[at] < 255) out[filled++] = (bytes[at] % 3) - 1;
    }
  }
  bytes.fill(0);
  return out;
}

/** Errors from the centred binomial distribution CBD(21), in [-21, 21]. */
export function sampleError(count: number, random: RandomSource): Int32Array {
  const out = new Int32Array(count);
  // Signed words: an element of a Uint32Array would be a double to the engine, at several times the cost.
  const words = new Int32Array(2 * Math.min(count, ERRORS_AT_ONCE));
  const mask = 2 ** BINOMIAL_BITS - 1;
  for (let start = 0; start < count; start += ERRORS_AT_ONCE) {
    const length = Math.min(ERRORS_AT_ONCE, count - start);
    random(new Uint8Array(words.buffer, 0, 2 * WORD_BYTES * length));
    for (let i = 0; i < length; i++) {
      out[start + i] = bitCount(words[2 * i] & mask) - bitCount(words[2 * i + 1] & mask);
    }
  }
  words.fill(0);
  return out;
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * The uniform NTT polynomial that a public seed stands for. Each (label, prime) has a stream of its own, so any subset of limbs
 * can be expanded alone.
 *
 * @param label Tells the polynomials of one seed apart, in [0, 2^32): the digit of a key, for example.
 * @throws RangeError for a seed that has not 32 bytes.
 */
export function expandUniform(ring: Ring, basis: Basis, seed: Uint8Array, label: number): Polynomial<"ntt"> {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, got ${seed.length}`);
  const polynomial = allocatePolynomial(ring, basis, "ntt");
  const nonce = new Uint8Array(NONCE_BYTES);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, label, true);
  ring.parallel(basis.length, (k) => {
    const modulus = ring.moduli[basis[k]];
    view.setUint32(4, modulus.value, true);
    ring.kernels.sampleUniform(limbOffset(polynomial, k), ring.degree, modulus, seed, nonce);
  });
  return polynomial;
}
