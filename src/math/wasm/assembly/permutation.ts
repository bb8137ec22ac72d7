// Automorphisms on NTT values: four consecutive values stay together, in another place and order.

const VECTOR: usize = 16;
/** A table begins with up to 16 orders, each a vector of byte indices; then comes a word for each four values. */
const ENTRIES: usize = 16 * VECTOR;

/**
 * Stores the four values from byte i of a limb at their new place.
 *
 * @param places The table: an entry is the byte offset of the new place, which is a multiple of 16, plus the number of the order.
 */
export function place(out: usize, places: usize, i: usize, values: v128): void {
  const entry = <usize>load<u32>(places + ENTRIES + (i >> 2));
  const order = v128.load(places + (entry & 15) * VECTOR);
  v128.store(out + (entry & ~15), v128.swizzle(values, order));
}

export function permute(out: usize, limb: usize, places: usize, count: i32): void {
  for (let i: usize = 0, bytes = (<usize>count) << 2; i < bytes; i += VECTOR) {
    place(out, places, i, v128.load(limb + i));
  }
}
