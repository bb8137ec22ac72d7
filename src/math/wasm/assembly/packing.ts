// Residues in as many bits as their prime has, one after the other, least significant bit first.

const WORD_BITS: u32 = 32;

/** Writes `count * bits / 32` words, which must be a whole number. Residues are below 2^bits. */
export function packBits(out: usize, limb: usize, count: i32, bits: u32): void {
  let pending: u64 = 0;
  let filled: u32 = 0;
  for (const end = limb + ((<usize>count) << 2); limb < end; limb += 4) {
    pending |= (<u64>load<u32>(limb)) << filled;
    filled += bits;
    if (filled >= WORD_BITS) {
      store<u32>(out, <u32>pending);
      out += 4;
      pending >>= WORD_BITS;
      filled -= WORD_BITS;
    }
  }
}

/** Reads them back and returns the largest. `from` has 8 bytes that may be read after its end. */
export function unpackBits(out: usize, from: usize, count: i32, bits: u32): u32 {
  const mask: u64 = ((<u64>1) << bits) - 1;
  let largest: u32 = 0;
  let position: u32 = 0;
  for (const end = out + ((<usize>count) << 2); out < end; out += 4) {
    // At most 7 bits before the residue and 30 of it: always within 8 bytes.
    const residue = <u32>((load<u64>(from + (position >> 3)) >> (position & 7)) & mask);
    store<u32>(out, residue);
    largest = max(largest, residue);
    position += bits;
  }
  return largest;
}
