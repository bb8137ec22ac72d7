// Loops over residues with an independent result for each index. Counts are multiples of four.
import { multiplyShoupLazy, reduceOnce } from "./lanes";

const VECTOR: usize = 16;

export function add(out: usize, left: usize, right: usize, count: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    v128.store(out + i, reduceOnce(v128.add<i32>(v128.load(left + i), v128.load(right + i)), p));
  }
}

export function subtract(out: usize, left: usize, right: usize, count: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    const difference = v128.sub<i32>(v128.load(left + i), v128.load(right + i));
    // A negative difference is a large unsigned number, so the smaller of the two is the residue.
    v128.store(out + i, v128.min<u32>(difference, v128.add<i32>(difference, p)));
  }
}

export function negate(out: usize, limb: usize, count: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    v128.store(out + i, reduceOnce(v128.sub<i32>(p, v128.load(limb + i)), p));
  }
}

export function multiplyScalar(out: usize, limb: usize, scalar: u32, quotient: u32, count: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  const w = i32x4.splat(scalar);
  const wq = i32x4.splat(quotient);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    v128.store(out + i, reduceOnce(multiplyShoupLazy(v128.load(limb + i), w, wq, p), p));
  }
}

export function subtractMultiplyScalar(
  out: usize,
  left: usize,
  right: usize,
  scalar: u32,
  quotient: u32,
  count: i32,
  prime: u32,
): void {
  const p = i32x4.splat(prime);
  const w = i32x4.splat(scalar);
  const wq = i32x4.splat(quotient);
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    const difference = v128.sub<i32>(v128.add<i32>(v128.load(left + i), p), v128.load(right + i));
    v128.store(out + i, reduceOnce(multiplyShoupLazy(difference, w, wq, p), p));
  }
}

/** Residues of signed values in (-p, p), in place. */
export function reduceSigned(limb: usize, count: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (const end = limb + ((<usize>count) << 2); limb < end; limb += VECTOR) {
    const value = v128.load(limb);
    // A negative value is a large unsigned number, so the smaller of the two is the residue.
    v128.store(limb, v128.min<u32>(value, v128.add<i32>(value, p)));
  }
}
