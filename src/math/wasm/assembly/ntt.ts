// The number-theoretic transform, two layers a pass (Harvey, "Faster arithmetic for number-theoretic transforms", 2014).
import { high2, high4, low2, low4, multiplyShoupLazy, reduceOnce } from "./lanes";

const VECTOR: usize = 16;

export function forwardNtt(limb: usize, roots: usize, quotients: usize, n: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(2 * prime);
  let blocks: i32 = 1;
  if (ctz(n) & 1) {
    const half = <usize>n * 2;
    const w = v128.load32_splat(roots + 4);
    const wq = v128.load32_splat(quotients + 4);
    for (let at = limb, end = limb + half; at < end; at += VECTOR) {
      const a = v128.load(at);
      const b = multiplyShoupLazy(v128.load(at + half), w, wq, p);
      v128.store(at, v128.add<i32>(a, b));
      v128.store(at + half, v128.add<i32>(v128.sub<i32>(a, b), p2));
    }
    blocks = 2;
  }
  for (; blocks * 16 <= n; blocks <<= 2) {
    const quarter = (<usize>n / (<usize>blocks * 4)) << 2;
    for (let block: usize = 0; block < <usize>blocks; block++) {
      const first = (<usize>blocks + block) << 2;
      const w = v128.load32_splat(roots + first);
      const wq = v128.load32_splat(quotients + first);
      const wl = v128.load32_splat(roots + 2 * first);
      const wlq = v128.load32_splat(quotients + 2 * first);
      const wr = v128.load32_splat(roots + 2 * first + 4);
      const wrq = v128.load32_splat(quotients + 2 * first + 4);
      const start = limb + 4 * quarter * block;
      for (let at = start, end = start + quarter; at < end; at += VECTOR) {
        const a = reduceOnce(v128.load(at), p2);
        const b = reduceOnce(v128.load(at + quarter), p2);
        const c = multiplyShoupLazy(v128.load(at + 2 * quarter), w, wq, p);
        const d = multiplyShoupLazy(v128.load(at + 3 * quarter), w, wq, p);
        const e = reduceOnce(v128.add<i32>(a, c), p2);
        const g = reduceOnce(v128.add<i32>(v128.sub<i32>(a, c), p2), p2);
        const f = multiplyShoupLazy(v128.add<i32>(b, d), wl, wlq, p);
        const h = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(b, d), p2), wr, wrq, p);
        v128.store(at, v128.add<i32>(e, f));
        v128.store(at + quarter, v128.add<i32>(v128.sub<i32>(e, f), p2));
        v128.store(at + 2 * quarter, v128.add<i32>(g, h));
        v128.store(at + 3 * quarter, v128.add<i32>(v128.sub<i32>(g, h), p2));
      }
    }
  }
  // Blocks of four words: four of them at a time, transposed.
  for (let block: usize = 0; block < <usize>blocks; block += 4) {
    const first = (<usize>blocks + block) << 2;
    const at = limb + block * 16;
    const w = v128.load(roots + first);
    const wq = v128.load(quotients + first);
    const r0 = v128.load(roots + 2 * first);
    const r1 = v128.load(roots + 2 * first, 16);
    const q0 = v128.load(quotients + 2 * first);
    const q1 = v128.load(quotients + 2 * first, 16);
    const wl = v128.shuffle<i32>(r0, r1, 0, 2, 4, 6);
    const wr = v128.shuffle<i32>(r0, r1, 1, 3, 5, 7);
    const wlq = v128.shuffle<i32>(q0, q1, 0, 2, 4, 6);
    const wrq = v128.shuffle<i32>(q0, q1, 1, 3, 5, 7);
    const x0 = v128.load(at),
      x1 = v128.load(at, 16),
      x2 = v128.load(at, 32),
      x3 = v128.load(at, 48);
    const y0 = low2(x0, x1),
      y1 = high2(x0, x1),
      y2 = low2(x2, x3),
      y3 = high2(x2, x3);
    const a = reduceOnce(low4(y0, y2), p2);
    const b = reduceOnce(high4(y0, y2), p2);
    const c = multiplyShoupLazy(low4(y1, y3), w, wq, p);
    const d = multiplyShoupLazy(high4(y1, y3), w, wq, p);
    const e = reduceOnce(v128.add<i32>(a, c), p2);
    const g = reduceOnce(v128.add<i32>(v128.sub<i32>(a, c), p2), p2);
    const f = multiplyShoupLazy(v128.add<i32>(b, d), wl, wlq, p);
    const h = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(b, d), p2), wr, wrq, p);
    const s0 = reduceOnce(reduceOnce(v128.add<i32>(e, f), p2), p);
    const s1 = reduceOnce(reduceOnce(v128.add<i32>(v128.sub<i32>(e, f), p2), p2), p);
    const s2 = reduceOnce(reduceOnce(v128.add<i32>(g, h), p2), p);
    const s3 = reduceOnce(reduceOnce(v128.add<i32>(v128.sub<i32>(g, h), p2), p2), p);
    const t0 = low2(s0, s1),
      t1 = high2(s0, s1),
      t2 = low2(s2, s3),
      t3 = high2(s2, s3);
    v128.store(at, low4(t0, t2));
    v128.store(at, high4(t0, t2), 16);
    v128.store(at, low4(t1, t3), 32);
    v128.store(at, high4(t1, t3), 48);
  }
}

/**
 * The division by N is part of the last layer, whose differences are multiplied anyway.
 *
 * @param scale N^-1 modulo p.
 * @param scaledRoot The root of the last layer times N^-1 modulo p.
 */
export function inverseNtt(
  limb: usize,
  roots: usize,
  quotients: usize,
  n: i32,
  prime: u32,
  scale: u32,
  scaleQuotient: u32,
  scaledRoot: u32,
  scaledRootQuotient: u32,
): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(2 * prime);
  let blocks: usize = <usize>n / 4;
  for (let block: usize = 0; block < blocks; block += 4) {
    const first = (blocks + block) << 2;
    const at = limb + block * 16;
    const w = v128.load(roots + first);
    const wq = v128.load(quotients + first);
    const r0 = v128.load(roots + 2 * first);
    const r1 = v128.load(roots + 2 * first, 16);
    const q0 = v128.load(quotients + 2 * first);
    const q1 = v128.load(quotients + 2 * first, 16);
    const wl = v128.shuffle<i32>(r0, r1, 0, 2, 4, 6);
    const wr = v128.shuffle<i32>(r0, r1, 1, 3, 5, 7);
    const wlq = v128.shuffle<i32>(q0, q1, 0, 2, 4, 6);
    const wrq = v128.shuffle<i32>(q0, q1, 1, 3, 5, 7);
    const x0 = v128.load(at),
      x1 = v128.load(at, 16),
      x2 = v128.load(at, 32),
      x3 = v128.load(at, 48);
    const y0 = low2(x0, x1),
      y1 = high2(x0, x1),
      y2 = low2(x2, x3),
      y3 = high2(x2, x3);
    const a = low4(y0, y2),
      b = high4(y0, y2),
      c = low4(y1, y3),
      d = high4(y1, y3);
    const e = reduceOnce(v128.add<i32>(a, b), p2);
    const g = reduceOnce(v128.add<i32>(c, d), p2);
    const f = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(a, b), p2), wl, wlq, p);
    const h = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(c, d), p2), wr, wrq, p);
    const s0 = reduceOnce(v128.add<i32>(e, g), p2);
    const s1 = reduceOnce(v128.add<i32>(f, h), p2);
    const s2 = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(e, g), p2), w, wq, p);
    const s3 = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(f, h), p2), w, wq, p);
    const t0 = low2(s0, s1),
      t1 = high2(s0, s1),
      t2 = low2(s2, s3),
      t3 = high2(s2, s3);
    v128.store(at, low4(t0, t2));
    v128.store(at, high4(t0, t2), 16);
    v128.store(at, low4(t1, t3), 32);
    v128.store(at, high4(t1, t3), 48);
  }
  let quarter: usize = 16;
  for (blocks >>= 2; blocks > 1; blocks >>= 2, quarter <<= 2) {
    for (let block: usize = 0; block < blocks; block++) {
      const first = (blocks + block) << 2;
      const w = v128.load32_splat(roots + first);
      const wq = v128.load32_splat(quotients + first);
      const wl = v128.load32_splat(roots + 2 * first);
      const wlq = v128.load32_splat(quotients + 2 * first);
      const wr = v128.load32_splat(roots + 2 * first + 4);
      const wrq = v128.load32_splat(quotients + 2 * first + 4);
      const start = limb + 4 * quarter * block;
      for (let at = start, end = start + quarter; at < end; at += VECTOR) {
        const a = v128.load(at);
        const b = v128.load(at + quarter);
        const c = v128.load(at + 2 * quarter);
        const d = v128.load(at + 3 * quarter);
        const e = reduceOnce(v128.add<i32>(a, b), p2);
        const g = reduceOnce(v128.add<i32>(c, d), p2);
        const f = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(a, b), p2), wl, wlq, p);
        const h = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(c, d), p2), wr, wrq, p);
        v128.store(at, reduceOnce(v128.add<i32>(e, g), p2));
        v128.store(at + quarter, reduceOnce(v128.add<i32>(f, h), p2));
        v128.store(at + 2 * quarter, multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(e, g), p2), w, wq, p));
        v128.store(at + 3 * quarter, multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(f, h), p2), w, wq, p));
      }
    }
  }
  const s = i32x4.splat(scale);
  const sq = i32x4.splat(scaleQuotient);
  const w = i32x4.splat(scaledRoot);
  const wq = i32x4.splat(scaledRootQuotient);
  if (ctz(n) & 1) {
    const half = <usize>n * 2;
    for (let at = limb, end = limb + half; at < end; at += VECTOR) {
      const a = v128.load(at);
      const b = v128.load(at + half);
      const difference = v128.add<i32>(v128.sub<i32>(a, b), p2);
      v128.store(at, reduceOnce(multiplyShoupLazy(v128.add<i32>(a, b), s, sq, p), p));
      v128.store(at + half, reduceOnce(multiplyShoupLazy(difference, w, wq, p), p));
    }
    return;
  }
  const wl = v128.load32_splat(roots + 8);
  const wlq = v128.load32_splat(quotients + 8);
  const wr = v128.load32_splat(roots + 12);
  const wrq = v128.load32_splat(quotients + 12);
  for (let at = limb, end = limb + quarter; at < end; at += VECTOR) {
    const a = v128.load(at);
    const b = v128.load(at + quarter);
    const c = v128.load(at + 2 * quarter);
    const d = v128.load(at + 3 * quarter);
    const e = reduceOnce(v128.add<i32>(a, b), p2);
    const g = reduceOnce(v128.add<i32>(c, d), p2);
    const f = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(a, b), p2), wl, wlq, p);
    const h = multiplyShoupLazy(v128.add<i32>(v128.sub<i32>(c, d), p2), wr, wrq, p);
    const x = v128.add<i32>(v128.sub<i32>(e, g), p2);
    const y = v128.add<i32>(v128.sub<i32>(f, h), p2);
    v128.store(at, reduceOnce(multiplyShoupLazy(v128.add<i32>(e, g), s, sq, p), p));
    v128.store(at + quarter, reduceOnce(multiplyShoupLazy(v128.add<i32>(f, h), s, sq, p), p));
    v128.store(at + 2 * quarter, reduceOnce(multiplyShoupLazy(x, w, wq, p), p));
    v128.store(at + 3 * quarter, reduceOnce(multiplyShoupLazy(y, w, wq, p), p));
  }
}
