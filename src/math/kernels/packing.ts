/** Residues in as many bits as their prime has, in plain TypeScript. The format: see `kernels.ts`. */

const WORD_BITS = 32;
const WORD_BYTES = 4;

export function packBits(words: Int32Array, out: Uint8Array, limb: number, count: number, bits: number): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  let pending = 0;
  let filled = 0;
  for (let i = limb, at = 0; i < limb + count; i++) {
    const residue = words[i];
    pending |= residue << filled;
    filled += bits;
    if (filled >= WORD_BITS) {
      view.setInt32(at, pending, true);
      at += WORD_BYTES;
      filled -= WORD_BITS;
      pending = residue >>> (bits - filled);
    }
  }
}

export function unpackBits(words: Int32Array, out: number, bytes: Uint8Array, count: number, bits: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mask = 2 ** bits - 1;
  let pending = 0;
  let filled = 0;
  let largest = 0;
  for (let i = out, at = 0; i < out + count; i++) {
    let residue = pending & mask;
    if (filled >= bits) {
      pending >>>= bits;
      filled -= bits;
    } else {
      const word = view.getInt32(at, true);
      at += WORD_BYTES;
      residue = (pending | (word << filled)) & mask;
      pending = word >>> (bits - filled);
      filled += WORD_BITS - bits;
    }
    words[i] = residue;
    if (residue > largest) largest = residue;
  }
  return largest;
}
