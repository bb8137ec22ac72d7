// Four residues in a 128-bit vector: lazy arithmetic modulo p < 2^30.

/** A prime and what reduces by it: 1 and 2^32 modulo p with their Shoup quotients. The layout of a constants block, in words. */
export const PRIME: usize = 0;
export const UNIT_QUOTIENT: usize = 4;
export const WRAP: usize = 8;
export const WRAP_QUOTIENT: usize = 12;

/** High words of the lanes' 64-bit products. */
export function multiplyHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(v128.extmul_low<u32>(a, b), v128.extmul_high<u32>(a, b), 1, 3, 5, 7);
}

/** a * w modulo p in [0, 2p) for any a, given w in [0, p) and floor(w * 2^32 / p) (Shoup). */
export function multiplyShoupLazy(a: v128, w: v128, quotient: v128, p: v128): v128 {
  return v128.sub<i32>(v128.mul<i32>(a, w), v128.mul<i32>(multiplyHigh(a, quotient), p));
}

/** x - m where x >= m, else x: from [0, 2m) to [0, m). */
export function reduceOnce(x: v128, m: v128): v128 {
  return v128.min<u32>(x, v128.sub<i32>(x, m));
}

/**
 * Four 64-bit sums modulo p, in [0, p): the high words times 2^32 and the low words times 1, each by Shoup.
 *
 * `low` holds the sums of lanes 0 and 1, `high` those of lanes 2 and 3.
 */
export function reduceWide(low: v128, high: v128, unitQuotient: v128, wrap: v128, wrapQuotient: v128, p: v128): v128 {
  const upper = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
  const lower = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  const fromUpper = multiplyShoupLazy(upper, wrap, wrapQuotient, p);
  const fromLower = v128.sub<i32>(lower, v128.mul<i32>(multiplyHigh(lower, unitQuotient), p));
  const sum = v128.add<i32>(fromUpper, fromLower);
  return reduceOnce(reduceOnce(sum, v128.shl<i32>(p, 1)), p);
}

// Halves of two vectors side by side. Twice, they transpose four vectors of four lanes: low2 and high2 of the first two and of the
// last two, then low4 and high4 of the results.

export function low2(x: v128, y: v128): v128 {
  return v128.shuffle<i32>(x, y, 0, 4, 1, 5);
}

export function high2(x: v128, y: v128): v128 {
  return v128.shuffle<i32>(x, y, 2, 6, 3, 7);
}

export function low4(x: v128, y: v128): v128 {
  return v128.shuffle<i64>(x, y, 0, 2);
}

export function high4(x: v128, y: v128): v128 {
  return v128.shuffle<i64>(x, y, 1, 3);
}
