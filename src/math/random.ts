/** Sources of random bytes: the operating system's for secrets, an expandable stream from a public seed for uniform polynomials. */

import { chacha20 } from "@noble/ciphers/chacha.js";

/** Fills an array with random bytes. */
export type RandomSource = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Web Crypto refuses to fill more than this at a time. */
const QUOTA = 65_536;

/** The operating system's generator, through Web Crypto. */
export const systemRandom: RandomSource = (bytes) => {
  for (let start = 0; start < bytes.length; start += QUOTA) {
    crypto.getRandomValues(bytes.subarray(start, start + QUOTA));
  }
};

/** Length in bytes of a seed: a ChaCha20 key. */
export const SEED_BYTES = 32;
/** Length in bytes of a nonce. */
export const NONCE_BYTES = 12;

/** A fresh 256-bit seed. */
export function randomSeed(random: RandomSource): Uint8Array<ArrayBuffer> {
  const seed = new Uint8Array(SEED_BYTES);
  random(seed);
  return seed;
}

const BLOCK_BYTES = 64;

/**
 * An endless stream of pseudo-random bytes: the ChaCha20 key stream (RFC 8439) with the seed as its key.
 *
 * @param seed 32 bytes. May be public: only the bytes' uniformity is relied upon then.
 * @param nonce 12 bytes that tell the streams of one seed apart.
 */
export function expandSeed(seed: Uint8Array, nonce: Uint8Array): RandomSource {
  let counter = 0;
  return (bytes) => {
    const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
    const whole = blocks * BLOCK_BYTES === bytes.length ? bytes : new Uint8Array(blocks * BLOCK_BYTES);
    whole.fill(0);
    chacha20(seed, nonce, whole, whole, counter);
    counter += blocks;
    if (whole !== bytes) bytes.set(whole.subarray(0, bytes.length));
  };
}
