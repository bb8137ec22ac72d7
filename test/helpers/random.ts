/** Reproducible random inputs. The streams are ChaCha20 key streams, themselves tested against RFC 8439. */

import { expandSeed, type RandomSource, SEED_BYTES } from "../../src/math/random.ts";

/** A stream that is the same in every run; different numbers give different streams. */
export function seededRandom(stream: number): RandomSource {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(0, stream, true);
  return expandSeed(new Uint8Array(SEED_BYTES).fill(0x5a), nonce);
}

/** Integers in [0, bound) for a bound of at most 2^32; the bias of at most bound / 2^53 is far below what a test can see. */
export function randomIntegers(count: number, bound: number, random: RandomSource): number[] {
  const words = new Uint32Array(2 * count);
  random(new Uint8Array(words.buffer));
  return Array.from({ length: count }, (_, i) => {
    const fraction = (words[2 * i] + (words[2 * i + 1] >>> 11) * 2 ** 32) / 2 ** 53;
    return Math.floor(fraction * bound);
  });
}

/** Integers in [0, bound) for a bound of any size, with a bias below 2^-64. */
export function randomBigints(count: number, bound: bigint, random: RandomSource): bigint[] {
  const width = Math.ceil(bound.toString(2).length / 32) + 2;
  const words = new Uint32Array(width * count);
  random(new Uint8Array(words.buffer));
  return Array.from({ length: count }, (_, i) => {
    const value = words.subarray(i * width, (i + 1) * width).reduce((sum, word) => (sum << 32n) + BigInt(word), 0n);
    return value % bound;
  });
}
