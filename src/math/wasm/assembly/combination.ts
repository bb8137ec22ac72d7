// Linear combinations of limbs with constant weights, and their real counterpart, rounded: what moves residues between bases.
import { fold } from "./dot-product";
import { PRIME, reduceWide, UNIT_QUOTIENT, WRAP, WRAP_QUOTIENT } from "./lanes";

/** Products below 2^60 that are added before the accumulators are folded: 16 of them, or 8 and a folded rest, stay below 2^64. */
const FIRST_FLUSH: usize = 16;
const FLUSH: usize = 8;
/** Bits of the low limb of a rounded sum. */
const LOW_BITS: i32 = 30;

/**
 * Sum over j of weights[j] * sources[j] modulo p, in [0, p), for words below 2^30.
 *
 * @param sources For each source 8 bytes: the address of its limb and its weight, below p.
 */
export function combineLimbs(out: usize, sources: usize, terms: i32, count: i32, constants: usize): void {
  const p = v128.load32_splat(constants + PRIME);
  const unitQuotient = v128.load32_splat(constants + UNIT_QUOTIENT);
  const wrap = v128.load32_splat(constants + WRAP);
  const wrapQuotient = v128.load32_splat(constants + WRAP_QUOTIENT);
  const mask = i64x2.splat(0xffffffff);
  const end = sources + ((<usize>terms) << 3);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 64) {
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let s4 = i64x2.splat(0);
    let s5 = i64x2.splat(0);
    let s6 = i64x2.splat(0);
    let s7 = i64x2.splat(0);
    let source = sources;
    let flush = FIRST_FLUSH;
    while (true) {
      const stop = min(end, source + flush * 8);
      for (; source < stop; source += 8) {
        const limb = <usize>load<u32>(source) + i;
        const weight = v128.load32_splat(source, 4);
        const x0 = v128.load(limb);
        s0 = v128.add<i64>(s0, v128.extmul_low<u32>(x0, weight));
        s1 = v128.add<i64>(s1, v128.extmul_high<u32>(x0, weight));
        const x1 = v128.load(limb, 16);
        s2 = v128.add<i64>(s2, v128.extmul_low<u32>(x1, weight));
        s3 = v128.add<i64>(s3, v128.extmul_high<u32>(x1, weight));
        const x2 = v128.load(limb, 32);
        s4 = v128.add<i64>(s4, v128.extmul_low<u32>(x2, weight));
        s5 = v128.add<i64>(s5, v128.extmul_high<u32>(x2, weight));
        const x3 = v128.load(limb, 48);
        s6 = v128.add<i64>(s6, v128.extmul_low<u32>(x3, weight));
        s7 = v128.add<i64>(s7, v128.extmul_high<u32>(x3, weight));
      }
      if (source >= end) break;
      flush = FLUSH;
      s0 = fold(s0, wrap, mask);
      s1 = fold(s1, wrap, mask);
      s2 = fold(s2, wrap, mask);
      s3 = fold(s3, wrap, mask);
      s4 = fold(s4, wrap, mask);
      s5 = fold(s5, wrap, mask);
      s6 = fold(s6, wrap, mask);
      s7 = fold(s7, wrap, mask);
    }
    v128.store(out + i, reduceWide(s0, s1, unitQuotient, wrap, wrapQuotient, p));
    v128.store(out + i, reduceWide(s2, s3, unitQuotient, wrap, wrapQuotient, p), 16);
    v128.store(out + i, reduceWide(s4, s5, unitQuotient, wrap, wrapQuotient, p), 32);
    v128.store(out + i, reduceWide(s6, s7, unitQuotient, wrap, wrapQuotient, p), 48);
  }
}

/**
 * floor(0.5 + sum over j of factors[j] * sources[j]), added up in that order in doubles; below 2^52, its lowest 30 bits in one limb and
 * the others in another.
 *
 * @param sources For each source 16 bytes: the address of its limb, nothing, and its factor as a double.
 */
export function roundedSum(low: usize, high: usize, sources: usize, terms: i32, count: i32): void {
  const lowMask = i64x2.splat((1 << LOW_BITS) - 1);
  const highMask = i64x2.splat((1 << (52 - LOW_BITS)) - 1);
  // An integer below 2^52 plus this one stands in the lowest 52 bits of the double.
  const aligned = f64x2.splat(4503599627370496.0);
  const end = sources + ((<usize>terms) << 4);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 16) {
    let s0 = f64x2.splat(0.5);
    let s1 = f64x2.splat(0.5);
    // Words are below 2^30, so they convert as signed ones, in one instruction.
    for (let source = sources; source < end; source += 16) {
      const y = v128.load(<usize>load<u32>(source) + i);
      const factor = v128.load64_splat(source, 8);
      s0 = v128.add<f64>(s0, v128.mul<f64>(f64x2.convert_low_i32x4_s(y), factor));
      const upper = v128.shuffle<i64>(y, y, 1, 1);
      s1 = v128.add<f64>(s1, v128.mul<f64>(f64x2.convert_low_i32x4_s(upper), factor));
    }
    const b0 = v128.add<f64>(v128.floor<f64>(s0), aligned);
    const b1 = v128.add<f64>(v128.floor<f64>(s1), aligned);
    v128.store(low + i, v128.shuffle<i32>(v128.and(b0, lowMask), v128.and(b1, lowMask), 0, 2, 4, 6));
    const h0 = v128.and(v128.shr<u64>(b0, LOW_BITS), highMask);
    const h1 = v128.and(v128.shr<u64>(b1, LOW_BITS), highMask);
    v128.store(high + i, v128.shuffle<i32>(h0, h1, 0, 2, 4, 6));
  }
}
