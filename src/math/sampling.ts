/** Random polynomials: uniform for each prime by rejection, ternary, and centred binomial. */

import type { Modulus } from "./modular.ts";
import { allocatePolynomial, limbOffset, type Polynomial } from "./polynomial.ts";
import { expandSeed, type RandomSource } from "./random.ts";
import type { Basis, Ring } from "./ring.ts";

/** Errors are the difference of two sums of this many bits: CBD(21), variance 10.5, sigma 3.24, as SEAL has it. */
export const BINOMIAL_BITS = 21;
/** Variance of the error distribution. */
export const ERROR_VARIANCE: number = BINOMIAL_BITS / 2;
/** Variance of a uniform ternary secret. */
export const TERNARY_VARIANCE: number = 2 / 3;

/**
 * Uniform residues modulo p: little-endian 32-bit words cut to the bit length of p, those not below p thrown away. The order is
 * part of the wire format, since seeded polynomials are expanded on the other side.
 */
export function sampleUniform(out: Int32Array, { value: p, bits }: Modulus, random: RandomSource): void {
  const mask = 2 ** bits - 1;
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  for (let filled = 0; filled < out.length; ) {
    random(bytes);
    for (let at = 0; at < bytes.length && filled < out.length; at += 4) {
      const candidate = view.getInt32(at, true) & mask;
      if (candidate < p) out[filled++] = candidate;
    }
  }
}

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
  const words = new Uint32Array(2 * count);
  random(new Uint8Array(words.buffer));
  const mask = 2 ** BINOMIAL_BITS - 1;
  for (let i = 0; i < count; i++) out[i] = bitCount(words[2 * i] & mask) - bitCount(words[2 * i + 1] & mask);
  words.fill(0);
  return out;
}

function bitCount(word: number): number {
  let pairs = word - ((word >>> 1) & 0x55555555);
  pairs = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * The uniform NTT polynomial that a public seed stands for. Each (label, prime) has a stream of its own, so any subset of limbs
 * can be expanded alone.
 *
 * @param label Tells the polynomials of one seed apart, in [0, 2^32): the digit of a key, for example.
 */
export function expandUniform(ring: Ring, basis: Basis, seed: Uint8Array, label: number): Polynomial<"ntt"> {
  const polynomial = allocatePolynomial(ring, basis, "ntt");
  const { words } = ring.heap;
  const nonce = new DataView(new ArrayBuffer(12));
  nonce.setUint32(0, label, true);
  for (const [k, index] of basis.entries()) {
    nonce.setUint32(4, ring.moduli[index].value, true);
    const limb = limbOffset(polynomial, k);
    const stream = expandSeed(seed, new Uint8Array(nonce.buffer));
    sampleUniform(words.subarray(limb, limb + ring.degree), ring.moduli[index], stream);
  }
  return polynomial;
}
