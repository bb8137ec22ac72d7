// Sums of limbs with small integer weights: 16-bit dot products of the halves of residues. `kernels/weighted-sums.ts` has the layout of a
// program and the bounds.
import { reduceOnce } from "./lanes";

/** Slots that are split at a time: the halves of a few dozen columns then stay in the first-level cache. */
const BLOCK_BYTES: usize = 512;
const HEADER_BYTES: usize = 16;
const GROUP_BYTES: usize = 28;
/** Flags of a group: its sums are added to what the rows hold; it is the first part of its rows, with which additions go. */
const ACCUMULATE: i32 = 1;
const FIRST_PART: i32 = 2;
const PAIR_BYTES: usize = 24;
/** Constants: p, 1 / p and 2^15 / p in single precision. Read where they are used: sums fill the registers. */
const PRIME: usize = 0;
const INVERSE: usize = 4;
const HIGH_INVERSE: usize = 8;
/** Added to a quotient, it leaves the nearest integer in the low bits of the float: 1.5 * 2^23. */
const MAGIC: f32 = 12_582_912;
const MAGIC_BITS: i32 = 0x4b400000;

/** Residues as two digits of 15 bits, each less 2^14, in the halves of a word. */
function split(from: usize, to: usize, bytes: usize): void {
  const low = i32x4.splat(0x7fff);
  const high = i32x4.splat(0xffff0000);
  const centre = i16x8.splat(0x4000);
  for (let i: usize = 0; i < bytes; i += 32) {
    const x0 = v128.load(from + i);
    const x1 = v128.load(from + i, 16);
    const digits0 = v128.or(v128.and(x0, low), v128.and(v128.shl<i32>(x0, 1), high));
    const digits1 = v128.or(v128.and(x1, low), v128.and(v128.shl<i32>(x1, 1), high));
    v128.store(to + i, v128.sub<i16>(digits0, centre));
    v128.store(to + i, v128.sub<i16>(digits1, centre), 16);
  }
}

/**
 * Residues in [0, p) of one row: low + 2^15 high, plus what the row holds where that is wanted, for p above 2^25 and sums of digits as the
 * accumulators hold them. The quotient in single precision is off by less than one.
 *
 * @param sums Sums of both digits by turns.
 */
function reduceRow(out: usize, sums: usize, bytes: usize, accumulate: i32, constants: usize): void {
  const p = v128.load32_splat(constants + PRIME);
  const inverse = v128.load32_splat(constants + INVERSE);
  const highInverse = v128.load32_splat(constants + HIGH_INVERSE);
  const magic = f32x4.splat(MAGIC);
  const magicBits = i32x4.splat(MAGIC_BITS);
  // Two vectors at a time: their chains of dependent steps overlap.
  for (let i: usize = 0; i < bytes; i += 32) {
    const first0 = v128.load(sums + 2 * i);
    const second0 = v128.load(sums + 2 * i, 16);
    const first1 = v128.load(sums + 2 * i, 32);
    const second1 = v128.load(sums + 2 * i, 48);
    const low0 = v128.shuffle<i32>(first0, second0, 0, 2, 4, 6);
    const high0 = v128.shuffle<i32>(first0, second0, 1, 3, 5, 7);
    const low1 = v128.shuffle<i32>(first1, second1, 0, 2, 4, 6);
    const high1 = v128.shuffle<i32>(first1, second1, 1, 3, 5, 7);
    const fraction0 = v128.add<f32>(
      v128.mul<f32>(v128.convert<i32>(high0), highInverse),
      v128.mul<f32>(v128.convert<i32>(low0), inverse),
    );
    const fraction1 = v128.add<f32>(
      v128.mul<f32>(v128.convert<i32>(high1), highInverse),
      v128.mul<f32>(v128.convert<i32>(low1), inverse),
    );
    const quotient0 = v128.sub<i32>(v128.add<f32>(fraction0, magic), magicBits);
    const quotient1 = v128.sub<i32>(v128.add<f32>(fraction1, magic), magicBits);
    const remainder0 = v128.sub<i32>(v128.add<i32>(v128.shl<i32>(high0, 15), low0), v128.mul<i32>(quotient0, p));
    const remainder1 = v128.sub<i32>(v128.add<i32>(v128.shl<i32>(high1, 15), low1), v128.mul<i32>(quotient1, p));
    // In (-p, p): a negative one is a large unsigned number.
    let value0 = v128.min<u32>(remainder0, v128.add<i32>(remainder0, p));
    let value1 = v128.min<u32>(remainder1, v128.add<i32>(remainder1, p));
    if (accumulate) {
      value0 = reduceOnce(v128.add<i32>(v128.load(out + i), value0), p);
      value1 = reduceOnce(v128.add<i32>(v128.load(out + i, 16), value1), p);
    }
    v128.store(out + i, value0);
    v128.store(out + i, value1, 16);
  }
}

/**
 * @param program Address of the program: what is summed with which weights.
 * @param inputs Addresses of the columns' limbs.
 * @param outputs Addresses of the rows' limbs, then the two digits of what is added to each row, then two zeros and the constants.
 * @param scratch Room for a block of each column, and for eight more.
 */
export function weightedSums(program: usize, inputs: usize, outputs: usize, scratch: usize, count: i32): void {
  const columns = <usize>load<u32>(program);
  const rows = <usize>load<u32>(program, 4);
  const groups = load<i32>(program, 8);
  const additions = outputs + (rows << 2);
  const zeros = additions + (rows << 3);
  const constants = zeros + 8;
  const sums = scratch + columns * BLOCK_BYTES;
  const total = (<usize>count) << 2;
  for (let start: usize = 0; start < total; start += BLOCK_BYTES) {
    const bytes = min(BLOCK_BYTES, total - start);
    for (let c: usize = 0; c < columns; c++) {
      split(<usize>load<u32>(inputs + (c << 2)) + start, scratch + c * BLOCK_BYTES, bytes);
    }
    let group = program + HEADER_BYTES;
    for (let g = 0; g < groups; g++) {
      const members = <usize>load<u32>(group, 4);
      const flags = load<i32>(group, 8);
      const start0 = flags & FIRST_PART ? additions + ((<usize>load<u32>(group, 12)) << 3) : zeros;
      const start1 = flags & FIRST_PART ? additions + ((<usize>load<u32>(group, 16)) << 3) : zeros;
      const start2 = flags & FIRST_PART ? additions + ((<usize>load<u32>(group, 20)) << 3) : zeros;
      const start3 = flags & FIRST_PART ? additions + ((<usize>load<u32>(group, 24)) << 3) : zeros;
      const first = group + GROUP_BYTES;
      const end = first + <usize>load<u32>(group) * PAIR_BYTES;
      for (let i: usize = 0; i < bytes; i += 16) {
        const at = scratch + i;
        let a0 = v128.load64_splat(start0);
        let a1 = v128.load64_splat(start1);
        let a2 = v128.load64_splat(start2);
        let a3 = v128.load64_splat(start3);
        let b0 = a0;
        let b1 = a1;
        let b2 = a2;
        let b3 = a3;
        for (let pair = first; pair < end; pair += 2 * PAIR_BYTES) {
          const x = v128.load(at + <usize>load<u32>(pair));
          const y = v128.load(at + <usize>load<u32>(pair, 4));
          const low = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
          const high = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
          const w0 = v128.load32_splat(pair, 8);
          const w1 = v128.load32_splat(pair, 12);
          const w2 = v128.load32_splat(pair, 16);
          const w3 = v128.load32_splat(pair, 20);
          a0 = v128.add<i32>(a0, v128.dot<i16>(low, w0));
          b0 = v128.add<i32>(b0, v128.dot<i16>(high, w0));
          a1 = v128.add<i32>(a1, v128.dot<i16>(low, w1));
          b1 = v128.add<i32>(b1, v128.dot<i16>(high, w1));
          a2 = v128.add<i32>(a2, v128.dot<i16>(low, w2));
          b2 = v128.add<i32>(b2, v128.dot<i16>(high, w2));
          a3 = v128.add<i32>(a3, v128.dot<i16>(low, w3));
          b3 = v128.add<i32>(b3, v128.dot<i16>(high, w3));
          const x2 = v128.load(at + <usize>load<u32>(pair, 24));
          const y2 = v128.load(at + <usize>load<u32>(pair, 28));
          const low2 = v128.shuffle<i16>(x2, y2, 0, 8, 1, 9, 2, 10, 3, 11);
          const high2 = v128.shuffle<i16>(x2, y2, 4, 12, 5, 13, 6, 14, 7, 15);
          const v0 = v128.load32_splat(pair, 32);
          const v1 = v128.load32_splat(pair, 36);
          const v2 = v128.load32_splat(pair, 40);
          const v3 = v128.load32_splat(pair, 44);
          a0 = v128.add<i32>(a0, v128.dot<i16>(low2, v0));
          b0 = v128.add<i32>(b0, v128.dot<i16>(high2, v0));
          a1 = v128.add<i32>(a1, v128.dot<i16>(low2, v1));
          b1 = v128.add<i32>(b1, v128.dot<i16>(high2, v1));
          a2 = v128.add<i32>(a2, v128.dot<i16>(low2, v2));
          b2 = v128.add<i32>(b2, v128.dot<i16>(high2, v2));
          a3 = v128.add<i32>(a3, v128.dot<i16>(low2, v3));
          b3 = v128.add<i32>(b3, v128.dot<i16>(high2, v3));
        }
        v128.store(sums + 2 * i, a0);
        v128.store(sums + 2 * i, b0, 16);
        v128.store(sums + 2 * i, a1, 2 * BLOCK_BYTES);
        v128.store(sums + 2 * i, b1, 2 * BLOCK_BYTES + 16);
        v128.store(sums + 2 * i, a2, 4 * BLOCK_BYTES);
        v128.store(sums + 2 * i, b2, 4 * BLOCK_BYTES + 16);
        v128.store(sums + 2 * i, a3, 6 * BLOCK_BYTES);
        v128.store(sums + 2 * i, b3, 6 * BLOCK_BYTES + 16);
      }
      for (let row: usize = 0; row < members; row++) {
        const index = (<usize>load<u32>(group + (row << 2), 12)) << 2;
        const out = <usize>load<u32>(outputs + index) + start;
        reduceRow(out, sums + row * 2 * BLOCK_BYTES, bytes, flags & ACCUMULATE, constants);
      }
      group = end;
    }
  }
}
