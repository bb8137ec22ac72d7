/** Polynomials on the wire: limb by limb, each residue in as many bits as its prime has. */

import { CrcnnError } from "../../errors/index.ts";
import { allocatePolynomial, type Basis, limbOffset, type Polynomial, type Ring } from "../../math/index.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";

/** Bytes of one packed limb; N is a multiple of 32. */
function limbBytes(ring: Ring, index: number): number {
  return (ring.degree * ring.moduli[index].bits) / 8;
}

/** Bytes of a polynomial over a basis. */
export function polynomialBytes(ring: Ring, basis: Basis): number {
  return basis.reduce((sum, index) => sum + limbBytes(ring, index), 0);
}

export function writePolynomial(writer: ByteWriter, polynomial: Polynomial<"ntt">): void {
  const { ring, basis } = polynomial;
  for (const [k, index] of basis.entries()) {
    const out = writer.reserve(limbBytes(ring, index));
    ring.kernels.packBits(out, limbOffset(polynomial, k), ring.degree, ring.moduli[index].bits);
  }
}

/** @throws CrcnnError INVALID_MESSAGE when bytes are missing or a residue is not below its prime. */
export function readPolynomial(reader: ByteReader, ring: Ring, basis: Basis): Polynomial<"ntt"> {
  // All bytes are taken first: a message that is cut off reserves no memory.
  const limbs = basis.map((index) => reader.bytes(limbBytes(ring, index)));
  const polynomial = allocatePolynomial(ring, basis, "ntt");
  for (const [k, index] of basis.entries()) {
    const { bits, value: prime } = ring.moduli[index];
    const largest = ring.kernels.unpackBits(limbOffset(polynomial, k), limbs[k], ring.degree, bits);
    if (largest < prime) continue;
    polynomial.block.free();
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `residue ${largest} is not below its prime ${prime}; the message is damaged, send it again`,
    );
  }
  return polynomial;
}
