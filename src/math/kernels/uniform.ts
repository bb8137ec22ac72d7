/** Uniform residues by rejection, in plain TypeScript. */

import type { Modulus } from "../modular.ts";
import type { RandomSource } from "../random.ts";

/** Words of the stream that are drawn at a time: 64 blocks of ChaCha20. */
const STRETCH_BYTES = 4096;

/**
 * Uniform residues modulo p: little-endian 32-bit words cut to the bit length of p, those not below p thrown away. The order is
 * part of the wire format, since seeded polynomials are expanded on the other side.
 */
export function sampleUniform(out: Int32Array, { value: p, bits }: Modulus, random: RandomSource): void {
  const mask = 2 ** bits - 1;
  const bytes = new Uint8Array(STRETCH_BYTES);
  const view = new DataView(bytes.buffer);
  for (let filled = 0; filled < out.length; ) {
    random(bytes);
    for (let at = 0; at < bytes.length && filled < out.length; at += 4) {
      const candidate = view.getInt32(at, true) & mask;
      if (candidate < p) out[filled++] = candidate;
    }
  }
}
