// Sums of products in 64-bit accumulators with one reduction at the end, and base conversion built on them.
import { PRIME, reduceWide, UNIT_QUOTIENT, WRAP, WRAP_QUOTIENT } from "./lanes";
import { place } from "./permutation";

/** Products below 2^60 that are added before the accumulators are folded: 8 of them and a folded rest stay below 2^64. */
const FLUSH: usize = 8;

/** hi * (2^32 mod p) + lo: the same value modulo p, below 2^62 + 2^32. */
function fold(sum: v128, wrap: v128, mask: v128): v128 {
  const upper = v128.shr<u64>(sum, 32);
  // Both factors are below 2^32 in 64-bit lanes; their low words stand in lanes 0 and 2.
  const product = v128.extmul_low<u32>(v128.shuffle<i32>(upper, upper, 0, 2, 0, 2), wrap);
  return v128.add<i64>(product, v128.and(sum, mask));
}

/**
 * Sum over k of lefts[k] * rights[k] modulo p, in [0, p), and of the limb `initial` unless that is 0.
 *
 * @param pairs Addresses of limbs: left and right of each pair, one after the other.
 * @param places A permutation's table (`permutation.ts`) for the result, or 0.
 */
export function dotProduct(
  out: usize,
  initial: usize,
  pairs: usize,
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
    if (initial !== 0) {
      const x0 = v128.load(initial + i);
      const x1 = v128.load(initial + i, 16);
      const x2 = v128.load(initial + i, 32);
      const x3 = v128.load(initial + i, 48);
      s0 = v128.extend_low<u32>(x0);
      s1 = v128.extend_high<u32>(x0);
      s2 = v128.extend_low<u32>(x1);
      s3 = v128.extend_high<u32>(x1);
      s4 = v128.extend_low<u32>(x2);
      s5 = v128.extend_high<u32>(x2);
      s6 = v128.extend_low<u32>(x3);
      s7 = v128.extend_high<u32>(x3);
    }
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
    const r0 = reduceWide(s0, s1, unitQuotient, wrap, wrapQuotient, p);
    const r1 = reduceWide(s2, s3, unitQuotient, wrap, wrapQuotient, p);
    const r2 = reduceWide(s4, s5, unitQuotient, wrap, wrapQuotient, p);
    const r3 = reduceWide(s6, s7, unitQuotient, wrap, wrapQuotient, p);
    if (places !== 0) {
      place(out, places, i, r0);
      place(out, places, i + 16, r1);
      place(out, places, i + 32, r2);
      place(out, places, i + 48, r3);
    } else {
      v128.store(out + i, r0);
      v128.store(out + i, r1, 16);
      v128.store(out + i, r2, 32);
      v128.store(out + i, r3, 48);
    }
  }
}

/**
 * The centred lift of residues modulo several primes to another one.
 *
 * @param sources For each source prime 16 bytes: the address of its limb, its weight modulo p, and 1 / q as a double.
 * @param shift -Q modulo p.
 */
export function convertBasis(out: usize, sources: usize, terms: i32, count: i32, shift: u32, constants: usize): void {
  const p = v128.load32_splat(constants + PRIME);
  const unitQuotient = v128.load32_splat(constants + UNIT_QUOTIENT);
  const wrap = v128.load32_splat(constants + WRAP);
  const wrapQuotient = v128.load32_splat(constants + WRAP_QUOTIENT);
  const minus = i32x4.splat(shift);
  const end = sources + ((<usize>terms) << 4);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 16) {
    let low = i64x2.splat(0);
    let high = i64x2.splat(0);
    let fraction0 = f64x2.splat(0.5);
    let fraction1 = f64x2.splat(0.5);
    for (let source = sources; source < end; source += 16) {
      const y = v128.load(<usize>load<u32>(source) + i);
      const weight = v128.load32_splat(source, 4);
      const inverse = v128.load64_splat(source, 8);
      low = v128.add<i64>(low, v128.extmul_low<u32>(y, weight));
      high = v128.add<i64>(high, v128.extmul_high<u32>(y, weight));
      fraction0 = v128.add<f64>(fraction0, v128.mul<f64>(f64x2.convert_low_i32x4_u(y), inverse));
      const upper = v128.shuffle<i64>(y, y, 1, 1);
      fraction1 = v128.add<f64>(fraction1, v128.mul<f64>(f64x2.convert_low_i32x4_u(upper), inverse));
    }
    const excess = v128.shuffle<i64>(
      i32x4.trunc_sat_f64x2_u_zero(fraction0),
      i32x4.trunc_sat_f64x2_u_zero(fraction1),
      0,
      2,
    );
    low = v128.add<i64>(low, v128.extmul_low<u32>(excess, minus));
    high = v128.add<i64>(high, v128.extmul_high<u32>(excess, minus));
    v128.store(out + i, reduceWide(low, high, unitQuotient, wrap, wrapQuotient, p));
  }
}
