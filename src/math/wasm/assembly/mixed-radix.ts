// Integers given by centred mixed-radix digits, brought to another prime.
import { multiplyShoupLazy, reduceOnce } from "./lanes";

const VECTOR: usize = 16;

/** A digit's entry in the argument list, in bytes: the address of its limb, then as in `centre`, then its weight with the quotient. */
const HALF: usize = 4;
const SHIFT: usize = 8;
const WEIGHT: usize = 12;
const WEIGHT_QUOTIENT: usize = 16;
const ENTRY: usize = 20;

/**
 * x where x is at most q / 2, else x - q; plus a multiple of the target prime that makes it positive.
 *
 * @param half (q - 1) / 2.
 * @param shift That multiple less q.
 */
function centre(x: v128, half: v128, shift: v128): v128 {
  return v128.add<i32>(x, v128.and(v128.gt<i32>(x, half), shift));
}

/** From [0, 2 bound) to [0, p), where `bound` is p times a power of two; or to itself where it is below p. */
function reduceFrom(x: v128, bound: u32, prime: u32): v128 {
  for (; bound >= prime; bound >>= 1) x = reduceOnce(x, i32x4.splat(bound));
  return x;
}

/**
 * The centred representatives of one prime's residues modulo another prime, in [0, p).
 *
 * @param bound p times the power of two with which `2 bound` exceeds what `centre` yields; 0 where that is below p at once.
 */
export function liftSingle(out: usize, source: usize, count: i32, half: i32, shift: i32, bound: u32, prime: u32): void {
  const middle = i32x4.splat(half);
  const added = i32x4.splat(shift);
  const end = (<usize>count) << 2;
  if (bound === 0) {
    for (let i: usize = 0; i < end; i += 2 * VECTOR) {
      v128.store(out + i, centre(v128.load(source + i), middle, added));
      v128.store(out + i, centre(v128.load(source + i, VECTOR), middle, added), VECTOR);
    }
    return;
  }
  for (let i: usize = 0; i < end; i += VECTOR) {
    v128.store(out + i, reduceFrom(centre(v128.load(source + i), middle, added), bound, prime));
  }
}

/**
 * The sum of centred digits times weights modulo p, in [0, p).
 *
 * @param digits For each digit an entry as above; the first one's weight is 1 and not read.
 * @param bound Of the first digit, as in `liftSingle`.
 */
export function liftDigits(out: usize, digits: usize, terms: i32, count: i32, bound: u32, prime: u32): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(2 * prime);
  const middle = v128.load32_splat(digits + HALF);
  const added = v128.load32_splat(digits + SHIFT);
  const others = digits + ENTRY;
  const end = digits + <usize>terms * ENTRY;
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    let sum = reduceFrom(centre(v128.load(<usize>load<u32>(digits) + i), middle, added), bound, prime);
    for (let digit = others; digit < end; digit += ENTRY) {
      const x = v128.load(<usize>load<u32>(digit) + i);
      const centred = centre(x, v128.load32_splat(digit, HALF), v128.load32_splat(digit, SHIFT));
      const weight = v128.load32_splat(digit, WEIGHT);
      const product = multiplyShoupLazy(centred, weight, v128.load32_splat(digit, WEIGHT_QUOTIENT), p);
      sum = reduceOnce(v128.add<i32>(sum, product), p2);
    }
    v128.store(out + i, reduceOnce(sum, p));
  }
}
