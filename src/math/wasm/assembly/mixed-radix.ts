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

/**
 * The centred representatives of one prime's residues modulo another prime, in [0, p).
 *
 * @param multiple What `centre` added to make them positive: p times a power of two.
 * @param unitQuotient floor(2^32 / p).
 */
export function liftSingle(
  out: usize,
  source: usize,
  count: i32,
  half: i32,
  shift: i32,
  multiple: u32,
  prime: u32,
  unitQuotient: u32,
): void {
  const middle = i32x4.splat(half);
  const added = i32x4.splat(shift);
  const p = i32x4.splat(prime);
  const end = (<usize>count) << 2;
  if (multiple === prime) {
    for (let i: usize = 0; i < end; i += 2 * VECTOR) {
      v128.store(out + i, centre(v128.load(source + i), middle, added));
      v128.store(out + i, centre(v128.load(source + i, VECTOR), middle, added), VECTOR);
    }
  } else if (multiple === 2 * prime) {
    for (let i: usize = 0; i < end; i += VECTOR) {
      v128.store(out + i, reduceOnce(centre(v128.load(source + i), middle, added), p));
    }
  } else {
    const one = i32x4.splat(1);
    const quotient = i32x4.splat(unitQuotient);
    for (let i: usize = 0; i < end; i += VECTOR) {
      const x = multiplyShoupLazy(centre(v128.load(source + i), middle, added), one, quotient, p);
      v128.store(out + i, reduceOnce(x, p));
    }
  }
}

/**
 * The sum of centred digits times weights modulo p, in [0, p).
 *
 * @param digits For each digit an entry as above.
 * @param multiple Of the first digit, as in `liftSingle`; where it is p, that digit's weight of 1 is not multiplied by.
 */
export function liftDigits(out: usize, digits: usize, terms: i32, count: i32, multiple: u32, prime: u32): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(2 * prime);
  const middle = v128.load32_splat(digits + HALF);
  const added = v128.load32_splat(digits + SHIFT);
  const direct = multiple === prime;
  const multiplied = direct ? digits + ENTRY : digits;
  const end = digits + <usize>terms * ENTRY;
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += 2 * VECTOR) {
    let sum0 = i32x4.splat(0);
    let sum1 = sum0;
    if (direct) {
      const limb = <usize>load<u32>(digits) + i;
      sum0 = centre(v128.load(limb), middle, added);
      sum1 = centre(v128.load(limb, VECTOR), middle, added);
    }
    for (let digit = multiplied; digit < end; digit += ENTRY) {
      const limb = <usize>load<u32>(digit) + i;
      const half = v128.load32_splat(digit, HALF);
      const shift = v128.load32_splat(digit, SHIFT);
      const weight = v128.load32_splat(digit, WEIGHT);
      const quotient = v128.load32_splat(digit, WEIGHT_QUOTIENT);
      const x0 = multiplyShoupLazy(centre(v128.load(limb), half, shift), weight, quotient, p);
      const x1 = multiplyShoupLazy(centre(v128.load(limb, VECTOR), half, shift), weight, quotient, p);
      sum0 = reduceOnce(v128.add<i32>(sum0, x0), p2);
      sum1 = reduceOnce(v128.add<i32>(sum1, x1), p2);
    }
    v128.store(out + i, reduceOnce(sum0, p));
    v128.store(out + i, reduceOnce(sum1, p), VECTOR);
  }
}
