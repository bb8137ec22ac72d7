// Sums of products in 64-bit accumulators with one reduction at the end.
import { PRIME, reduceWide, UNIT_QUOTIENT, WRAP, WRAP_QUOTIENT } from "./lanes";
import { place } from "./permutation";

/** Products below 2^60 that are added before the accumulators are folded: 8 of them and a folded rest stay below 2^64. */
const FLUSH: usize = 8;

/** hi * (2^32 mod p) + lo: the same value modulo p, below 2^62 + 2^32. */
export function fold(sum: v128, wrap: v128, mask: v128): v128 {
  const upper = v128.shr<u64>(sum, 32);
  // Both factors are below 2^32 in 64-bit lanes; their low words stand in lanes 0 and 2.
  const product = v128.extmul_low<u32>(v128.shuffle<i32>(upper, upper, 0, 2, 0, 2), wrap);
  return v128.add<i64>(product, v128.and(sum, mask));
}

/**
 * Sum over k of lefts[k] * rights[k] modulo p, in [0, p).
 *
 * @param pairs Addresses of limbs: left and right of each pair, one after the other.
 */
export function dotProduct(out: usize, pairs: usize, terms: i32, count: i32, constants: usize): void {
  const p = v128.load32_splat(constants + PRIME);
  const unitQuotient = v128.load32_splat(constants + UNIT_QUOTIENT);
  const wrap = v128.load32_splat(constants + WRAP);
  const wrapQuotient = v128.load32_splat(constants + WRAP_QUOTIENT);
  const mask = i64x2.splat(0xffffffff);
  const end = pairs + ((<usize>terms) << 3);
  // A cache line of each limb at a time: at N = 8192 and 33 terms 3.3 us a term, with half a line 5.3 us.
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 64) {
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let s4 = i64x2.splat(0);
    let s5 = i64x2.splat(0);
    let s6 = i64x2.splat(0);
    let s7 = i64x2.splat(0);
    let pair = pairs;
    while (true) {
      const stop = min(end, pair + FLUSH * 8);
      for (; pair < stop; pair += 8) {
        const left = <usize>load<u32>(pair) + i;
        const right = <usize>load<u32>(pair, 4) + i;
        const x0 = v128.load(left);
        const y0 = v128.load(right);
        s0 = v128.add<i64>(s0, v128.extmul_low<u32>(x0, y0));
        s1 = v128.add<i64>(s1, v128.extmul_high<u32>(x0, y0));
        const x1 = v128.load(left, 16);
        const y1 = v128.load(right, 16);
        s2 = v128.add<i64>(s2, v128.extmul_low<u32>(x1, y1));
        s3 = v128.add<i64>(s3, v128.extmul_high<u32>(x1, y1));
        const x2 = v128.load(left, 32);
        const y2 = v128.load(right, 32);
        s4 = v128.add<i64>(s4, v128.extmul_low<u32>(x2, y2));
        s5 = v128.add<i64>(s5, v128.extmul_high<u32>(x2, y2));
        const x3 = v128.load(left, 48);
        const y3 = v128.load(right, 48);
        s6 = v128.add<i64>(s6, v128.extmul_low<u32>(x3, y3));
        s7 = v128.add<i64>(s7, v128.extmul_high<u32>(x3, y3));
      }
      if (pair >= end) break;
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

/** An entry of `dotProductPair`'s list of terms, in bytes: addresses of the two left factors and of the right one. */
const TERM: usize = 12;

/**
 * Two sums of products with the same right factors, which are read once: sums over k of lefts0[k] * rights[k] and of lefts1[k] * rights[k],
 * each modulo p, in [0, p), plus a limb unless its address is 0.
 *
 * @param places A permutation's table (`permutation.ts`) for both results, or 0.
 */
export function dotProductPair(
  out0: usize,
  out1: usize,
  initial0: usize,
  initial1: usize,
  list: usize,
  terms: i32,
  count: i32,
  constants: usize,
  places: usize,
): void {
  const p = v128.load32_splat(constants + PRIME);
  const unitQuotient = v128.load32_splat(constants + UNIT_QUOTIENT);
  const wrap = v128.load32_splat(constants + WRAP);
  const wrapQuotient = v128.load32_splat(constants + WRAP_QUOTIENT);
  const mask = i64x2.splat(0xffffffff);
  const end = list + <usize>terms * TERM;
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 32) {
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let t0 = i64x2.splat(0);
    let t1 = i64x2.splat(0);
    let t2 = i64x2.splat(0);
    let t3 = i64x2.splat(0);
    if (initial0 !== 0) {
      const x0 = v128.load(initial0 + i);
      const x1 = v128.load(initial0 + i, 16);
      s0 = v128.extend_low<u32>(x0);
      s1 = v128.extend_high<u32>(x0);
      s2 = v128.extend_low<u32>(x1);
      s3 = v128.extend_high<u32>(x1);
    }
    if (initial1 !== 0) {
      const x0 = v128.load(initial1 + i);
      const x1 = v128.load(initial1 + i, 16);
      t0 = v128.extend_low<u32>(x0);
      t1 = v128.extend_high<u32>(x0);
      t2 = v128.extend_low<u32>(x1);
      t3 = v128.extend_high<u32>(x1);
    }
    let term = list;
    while (true) {
      const stop = min(end, term + FLUSH * TERM);
      for (; term < stop; term += TERM) {
        const left0 = <usize>load<u32>(term) + i;
        const left1 = <usize>load<u32>(term, 4) + i;
        const right = <usize>load<u32>(term, 8) + i;
        const y0 = v128.load(right);
        const x0 = v128.load(left0);
        s0 = v128.add<i64>(s0, v128.extmul_low<u32>(x0, y0));
        s1 = v128.add<i64>(s1, v128.extmul_high<u32>(x0, y0));
        const z0 = v128.load(left1);
        t0 = v128.add<i64>(t0, v128.extmul_low<u32>(z0, y0));
        t1 = v128.add<i64>(t1, v128.extmul_high<u32>(z0, y0));
        const y1 = v128.load(right, 16);
        const x1 = v128.load(left0, 16);
        s2 = v128.add<i64>(s2, v128.extmul_low<u32>(x1, y1));
        s3 = v128.add<i64>(s3, v128.extmul_high<u32>(x1, y1));
        const z1 = v128.load(left1, 16);
        t2 = v128.add<i64>(t2, v128.extmul_low<u32>(z1, y1));
        t3 = v128.add<i64>(t3, v128.extmul_high<u32>(z1, y1));
      }
      if (term >= end) break;
      s0 = fold(s0, wrap, mask);
      s1 = fold(s1, wrap, mask);
      s2 = fold(s2, wrap, mask);
      s3 = fold(s3, wrap, mask);
      t0 = fold(t0, wrap, mask);
      t1 = fold(t1, wrap, mask);
      t2 = fold(t2, wrap, mask);
      t3 = fold(t3, wrap, mask);
    }
    const r0 = reduceWide(s0, s1, unitQuotient, wrap, wrapQuotient, p);
    const r1 = reduceWide(s2, s3, unitQuotient, wrap, wrapQuotient, p);
    const r2 = reduceWide(t0, t1, unitQuotient, wrap, wrapQuotient, p);
    const r3 = reduceWide(t2, t3, unitQuotient, wrap, wrapQuotient, p);
    if (places !== 0) {
      place(out0, places, i, r0);
      place(out0, places, i + 16, r1);
      place(out1, places, i, r2);
      place(out1, places, i + 16, r3);
    } else {
      v128.store(out0 + i, r0);
      v128.store(out0 + i, r1, 16);
      v128.store(out1 + i, r2);
      v128.store(out1 + i, r3, 16);
    }
  }
}
