/**
 * The kernel interface: every loop over the residues of a limb, and nothing else.
 *
 * Limbs are `count` consecutive words of one heap, given by their word offset. Unless a kernel says otherwise, inputs are
 * residues in [0, p) and outputs are residues in [0, p); outputs may be the same limb as an input, but not overlap it
 * partly. Backends must agree bit for bit. A kernel may make the heap grow when it first meets a prime, a
 * table or a permutation, so views of the heap's words are read afresh after each.
 *
 * Where `count` is not a multiple of 16, a kernel may read and overwrite the words up to the next one; heap blocks, which are whole
 * granules of 1024 words, have room for them.
 */

import type { Modulus } from "../modular.ts";
import type { NttTable } from "../ntt-table.ts";
import type { WeightedSums } from "./weighted-sums.ts";

/** How to bring an integer, given by mixed-radix digits, to a prime: x = d_0 + q_0 (d_1 + q_1 (d_2 + …)), each |d_j| < q_j / 2. */
export interface MixedRadixLift {
  /** q_j, the odd radix of each digit. */
  readonly radices: readonly number[];
  /** q_0 … q_j-1 modulo the target prime; the first is 1. */
  readonly weights: readonly number[];
  readonly target: Modulus;
}

/** Two of something, as of a ciphertext's components. */
export type Pair<T> = readonly [T, T];

export interface DotProductOptions {
  /** Limbs that the sums start from; none by default. They may be the results, unless those are permuted. */
  readonly initial?: Pair<number | undefined> | undefined;
  /** An automorphism of the results, as in {@link Kernels.permute}. */
  readonly permutation?: Int32Array | undefined;
}

export interface Kernels {
  readonly backend: string;

  /** Negacyclic transform in place; natural order in, bit-reversed order out. */
  forwardNtt(limb: number, table: NttTable): void;
  /** Inverse transform in place, with the division by N; bit-reversed order in, natural order out. */
  inverseNtt(limb: number, table: NttTable): void;

  add(out: number, left: number, right: number, count: number, modulus: Modulus): void;
  subtract(out: number, left: number, right: number, count: number, modulus: Modulus): void;
  negate(out: number, limb: number, count: number, modulus: Modulus): void;
  multiply(out: number, left: number, right: number, count: number, modulus: Modulus): void;
  /** limb * scalar, for a scalar in [0, p). */
  multiplyScalar(out: number, limb: number, scalar: number, count: number, modulus: Modulus): void;
  /** (left - right) * scalar, for a scalar in [0, p). */
  subtractMultiplyScalar(
    out: number,
    left: number,
    right: number,
    scalar: number,
    count: number,
    modulus: Modulus,
  ): void;
  /**
   * Sum over k of lefts[k] * rights[k], reduced once at the end. At most {@link MAX_DOT_PRODUCT_TERMS} pairs. `out` must not
   * be an input.
   */
  dotProduct(out: number, lefts: ArrayLike<number>, rights: ArrayLike<number>, count: number, modulus: Modulus): void;
  /**
   * {@link dotProduct} of two lists of left factors with one of right factors, which are read only once: products often wait for memory.
   */
  dotProductPair(
    outs: Pair<number>,
    lefts: Pair<ArrayLike<number>>,
    rights: ArrayLike<number>,
    count: number,
    modulus: Modulus,
    options?: DotProductOptions,
  ): void;

  /**
   * outs[r] = biases[r] + sum over k of w[r][k] * ins[k], with the weights that a program holds; a program that accumulates adds that to
   * outs[r]. The prime is above `WEIGHTED_PRIME_FLOOR`, no output is an input.
   *
   * @param biases Residues, one a row.
   * @param scratch Word offset of `weightedScratchWords` words that no other task uses.
   */
  weightedSums(
    program: WeightedSums,
    outs: ArrayLike<number>,
    ins: ArrayLike<number>,
    biases: ArrayLike<number>,
    scratch: number,
    count: number,
    modulus: Modulus,
  ): void;

  /**
   * Sum over j of weights[j] * sources[j], reduced once at the end. Words of sources are in [0, 2^30), not necessarily below p; weights in
   * [0, p). At most {@link MAX_DOT_PRODUCT_TERMS} sources; `out` must not be one.
   */
  combineLimbs(out: number, sources: ArrayLike<number>, weights: Int32Array, count: number, modulus: Modulus): void;

  /**
   * floor(1/2 + sum over j of factors[j] * sources[j]), added up in that order in doubles, from 1/2 on. Words are in [0, 2^30), factors not
   * negative; the sum must stay below 2^52. Its lowest 30 bits go to `low`, the others to `high`, neither of which may be a source.
   */
  roundedSum(low: number, high: number, sources: ArrayLike<number>, factors: Float64Array, count: number): void;

  /**
   * The integer with these mixed-radix digits modulo the target prime, exactly. Digits are residues in [0, q_j) and stand for their
   * centred representatives, so that of all the integers that they could stand for it is the one in (-Q/2, Q/2).
   */
  liftDigits(out: number, digits: ArrayLike<number>, count: number, lift: MixedRadixLift): void;

  /**
   * out[i] = limb[permutation[i]]: an automorphism on NTT values (`automorphismPermutation`), of which four consecutive ones stay
   * together. `out` must not be the input.
   */
  permute(out: number, limb: number, permutation: Int32Array): void;

  /** Residues of signed integers, |value| < p. */
  setSigned(out: number, values: Int32Array, modulus: Modulus): void;

  /**
   * Uniform residues from the ChaCha20 key stream (RFC 8439) of a seed: its blocks from number 0 on are read as little-endian 32-bit
   * words, each cut to the bit length of p; those not below p are left out.
   *
   * @param seed 32 bytes, the key. Public: it may stay in memory.
   * @param nonce 12 bytes.
   */
  sampleUniform(out: number, count: number, modulus: Modulus, seed: Uint8Array, nonce: Uint8Array): void;

  /**
   * Writes words of a limb below 2^bits as `bits` bits each, one after the other, least significant bit first: the wire format.
   *
   * @param out At least `count * bits / 8` bytes outside the heap, of which so many are written.
   * @param count A multiple of 32.
   * @param bits From 2 to 30.
   */
  packBits(out: Uint8Array, limb: number, count: number, bits: number): void;
  /**
   * Reads what {@link packBits} writes. Words are below 2^bits, not necessarily below p: the caller refuses a limb when the largest
   * word, which is returned, is not.
   */
  unpackBits(out: number, bytes: Uint8Array, count: number, bits: number): number;
}

/**
 * Bound on the terms of a dot product. The sum of 256 products stays below 2^8 p^2; held in a double it is wrong by less than
 * 2^-37 p^2, so the quotient by p < 2^30 is off by at most one.
 */
export const MAX_DOT_PRODUCT_TERMS = 256;
