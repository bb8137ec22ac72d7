// Uniform residues from a ChaCha20 key stream, four blocks at a time: lane i of every vector belongs to block i.
import { high2, high4, low2, low4 } from "./lanes";

/** In bytes; a state is 16 words: constants, key, block counter, nonce (RFC 8439, section 2.3). */
const COUNTER: usize = 12 * 4;
const STATE_BYTES: usize = 16 * 4;
const BLOCKS_BYTES: usize = 4 * 64;

function rotate(x: v128, bits: i32): v128 {
  return v128.or(v128.shl<i32>(x, bits), v128.shr<u32>(x, 32 - bits));
}

/** Halves change places: two instructions instead of three. By 8 bits, a byte shuffle measured slower than shifts. */
function rotate16(x: v128): v128 {
  return v128.shuffle<i16>(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}

/** Adds the initial words to four words of the four blocks, and writes them block by block, cut to the mask. */
function finish(out: usize, initial: usize, w0: v128, w1: v128, w2: v128, w3: v128, mask: v128): void {
  const x0 = v128.and(v128.add<i32>(w0, v128.load32_splat(initial)), mask);
  const x1 = v128.and(v128.add<i32>(w1, v128.load32_splat(initial, 4)), mask);
  const x2 = v128.and(v128.add<i32>(w2, v128.load32_splat(initial, 8)), mask);
  const x3 = v128.and(v128.add<i32>(w3, v128.load32_splat(initial, 12)), mask);
  const y0 = low2(x0, x1);
  const y1 = high2(x0, x1);
  const y2 = low2(x2, x3);
  const y3 = high2(x2, x3);
  v128.store(out, low4(y0, y2));
  v128.store(out, high4(y0, y2), 64);
  v128.store(out, low4(y1, y3), 128);
  v128.store(out, high4(y1, y3), 192);
}

/** Four consecutive blocks of the key stream from the state's counter on, cut to the mask (RFC 8439, section 2.3.1). */
function blocks(out: usize, state: usize, mask: v128): void {
  const lanes = i32x4(0, 1, 2, 3);
  let x0 = v128.load32_splat(state);
  let x1 = v128.load32_splat(state, 4);
  let x2 = v128.load32_splat(state, 8);
  let x3 = v128.load32_splat(state, 12);
  let x4 = v128.load32_splat(state, 16);
  let x5 = v128.load32_splat(state, 20);
  let x6 = v128.load32_splat(state, 24);
  let x7 = v128.load32_splat(state, 28);
  let x8 = v128.load32_splat(state, 32);
  let x9 = v128.load32_splat(state, 36);
  let x10 = v128.load32_splat(state, 40);
  let x11 = v128.load32_splat(state, 44);
  let x12 = v128.add<i32>(v128.load32_splat(state, 48), lanes);
  let x13 = v128.load32_splat(state, 52);
  let x14 = v128.load32_splat(state, 56);
  let x15 = v128.load32_splat(state, 60);
  for (let round = 0; round < 10; round++) {
    // Columns, then diagonals; each line of a quarter round for all four of them.
    x0 = v128.add<i32>(x0, x4);
    x1 = v128.add<i32>(x1, x5);
    x2 = v128.add<i32>(x2, x6);
    x3 = v128.add<i32>(x3, x7);
    x12 = rotate16(v128.xor(x12, x0));
    x13 = rotate16(v128.xor(x13, x1));
    x14 = rotate16(v128.xor(x14, x2));
    x15 = rotate16(v128.xor(x15, x3));
    x8 = v128.add<i32>(x8, x12);
    x9 = v128.add<i32>(x9, x13);
    x10 = v128.add<i32>(x10, x14);
    x11 = v128.add<i32>(x11, x15);
    x4 = rotate(v128.xor(x4, x8), 12);
    x5 = rotate(v128.xor(x5, x9), 12);
    x6 = rotate(v128.xor(x6, x10), 12);
    x7 = rotate(v128.xor(x7, x11), 12);
    x0 = v128.add<i32>(x0, x4);
    x1 = v128.add<i32>(x1, x5);
    x2 = v128.add<i32>(x2, x6);
    x3 = v128.add<i32>(x3, x7);
    x12 = rotate(v128.xor(x12, x0), 8);
    x13 = rotate(v128.xor(x13, x1), 8);
    x14 = rotate(v128.xor(x14, x2), 8);
    x15 = rotate(v128.xor(x15, x3), 8);
    x8 = v128.add<i32>(x8, x12);
    x9 = v128.add<i32>(x9, x13);
    x10 = v128.add<i32>(x10, x14);
    x11 = v128.add<i32>(x11, x15);
    x4 = rotate(v128.xor(x4, x8), 7);
    x5 = rotate(v128.xor(x5, x9), 7);
    x6 = rotate(v128.xor(x6, x10), 7);
    x7 = rotate(v128.xor(x7, x11), 7);
    x0 = v128.add<i32>(x0, x5);
    x1 = v128.add<i32>(x1, x6);
    x2 = v128.add<i32>(x2, x7);
    x3 = v128.add<i32>(x3, x4);
    x15 = rotate16(v128.xor(x15, x0));
    x12 = rotate16(v128.xor(x12, x1));
    x13 = rotate16(v128.xor(x13, x2));
    x14 = rotate16(v128.xor(x14, x3));
    x10 = v128.add<i32>(x10, x15);
    x11 = v128.add<i32>(x11, x12);
    x8 = v128.add<i32>(x8, x13);
    x9 = v128.add<i32>(x9, x14);
    x5 = rotate(v128.xor(x5, x10), 12);
    x6 = rotate(v128.xor(x6, x11), 12);
    x7 = rotate(v128.xor(x7, x8), 12);
    x4 = rotate(v128.xor(x4, x9), 12);
    x0 = v128.add<i32>(x0, x5);
    x1 = v128.add<i32>(x1, x6);
    x2 = v128.add<i32>(x2, x7);
    x3 = v128.add<i32>(x3, x4);
    x15 = rotate(v128.xor(x15, x0), 8);
    x12 = rotate(v128.xor(x12, x1), 8);
    x13 = rotate(v128.xor(x13, x2), 8);
    x14 = rotate(v128.xor(x14, x3), 8);
    x10 = v128.add<i32>(x10, x15);
    x11 = v128.add<i32>(x11, x12);
    x8 = v128.add<i32>(x8, x13);
    x9 = v128.add<i32>(x9, x14);
    x5 = rotate(v128.xor(x5, x10), 7);
    x6 = rotate(v128.xor(x6, x11), 7);
    x7 = rotate(v128.xor(x7, x8), 7);
    x4 = rotate(v128.xor(x4, x9), 7);
  }
  finish(out, state, x0, x1, x2, x3, mask);
  finish(out + 16, state + 16, x4, x5, x6, x7, mask);
  finish(out + 32, state + 32, x8, x9, x10, x11, mask);
  finish(out + 48, state + 48, v128.add<i32>(x12, lanes), x13, x14, x15, mask);
}

/**
 * Residues in [0, p): words of the key stream cut to the bit length of p, those not below p left out.
 *
 * @param state 16 words, with the counter of the first block; 64 words of scratch follow them. The counter is advanced.
 */
export function sampleUniform(out: usize, count: i32, prime: u32, state: usize): void {
  const mask = i32x4.splat((1 << (32 - clz(prime))) - 1);
  const scratch = state + STATE_BYTES;
  for (const end = out + ((<usize>count) << 2); out < end; ) {
    blocks(scratch, state, mask);
    store<u32>(state + COUNTER, load<u32>(state + COUNTER) + 4);
    for (let from = scratch; from < scratch + BLOCKS_BYTES && out < end; from += 4) {
      const candidate = load<u32>(from);
      // A word that is thrown away is written over by the next one: rejections are not predictable, so no branch.
      store<u32>(out, candidate);
      out += (<usize>(candidate < prime)) << 2;
    }
  }
}
