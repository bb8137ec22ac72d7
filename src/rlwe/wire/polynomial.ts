/** Polynomials on the wire: limb by limb, each residue in as many bits as its prime has. */

import { CrcnnError } from "../../errors/index.ts";
import { allocatePolynomial, type Basis, limbOffset, type Polynomial, type Ring } from "../../math/index.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";

/** Bytes of one packed limb; N is a multiple of 8. */
function limbBytes(ring: Ring, index: number): number {
  return (ring.degree * ring.moduli[index].bits) / 8;
}

export function writePolynomial(writer: ByteWriter, polynomial: Polynomial<"ntt">): void {
  const { ring, basis } = polynomial;
  for (const [k, index] of basis.entries()) {
    const { bits } = ring.moduli[index];
    const out = writer.reserve(limbBytes(ring, index));
    const limb = limbOffset(polynomial, k);
    const { words } = ring.heap;
    let pending = 0;
    let pendingBits = 0;
    let at = 0;
    for (let i = 0; i < ring.degree; i++) {
      // Fewer than 8 bits are pending, so with at most 30 more a double holds them exactly.
      let chunk = pending + words[limb + i] * 2 ** pendingBits;
      let chunkBits = pendingBits + bits;
      for (; chunkBits >= 8; chunkBits -= 8) {
        const rest = Math.floor(chunk / 256);
        out[at++] = chunk - rest * 256;
        chunk = rest;
      }
      pending = chunk;
      pendingBits = chunkBits;
    }
  }
}

/** @throws CrcnnError INVALID_MESSAGE when bytes are missing or a residue is not below its prime. */
export function readPolynomial(reader: ByteReader, ring: Ring, basis: Basis): Polynomial<"ntt"> {
  // All bytes are taken first: a message that is cut off reserves no memory.
  const limbs = basis.map((index) => reader.bytes(limbBytes(ring, index)));
  const polynomial = allocatePolynomial(ring, basis, "ntt");
  const { words } = ring.heap;
  for (const [k, index] of basis.entries()) {
    const { bits, value: prime } = ring.moduli[index];
    const limb = limbOffset(polynomial, k);
    const modulus = 2 ** bits;
    const bytes = limbs[k];
    let pending = 0;
    let pendingBits = 0;
    let at = 0;
    for (let i = 0; i < ring.degree; i++) {
      for (; pendingBits < bits; pendingBits += 8) pending += bytes[at++] * 2 ** pendingBits;
      const rest = Math.floor(pending / modulus);
      const residue = pending - rest * modulus;
      if (residue >= prime) {
        polynomial.block.free();
        throw new CrcnnError(
          "INVALID_MESSAGE",
          `residue ${residue} is not below its prime ${prime}; the message is damaged`,
        );
      }
      words[limb + i] = residue;
      pending = rest;
      pendingBits -= bits;
    }
  }
  return polynomial;
}
