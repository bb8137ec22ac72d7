/** A public key on the wire: its uniform half travels as a seed. */

import { expandUniform, SEED_BYTES } from "../../math/index.ts";
import { PUBLIC_KEY_SEED_LABEL, type PublicKey } from "../keys.ts";
import type { RlweContext } from "../parameters.ts";
import { createByteReader, createByteWriter } from "./bytes.ts";
import { HEADER_BYTES, readHeader, writeHeader } from "./header.ts";
import { polynomialBytes, readPolynomial, writePolynomial } from "./polynomial.ts";

export function serializePublicKey(context: RlweContext, { b, seed }: PublicKey): Uint8Array<ArrayBuffer> {
  const writer = createByteWriter(HEADER_BYTES + SEED_BYTES + polynomialBytes(context.ring, b.basis));
  writeHeader(writer, "publicKey", context);
  writer.bytes(seed);
  writePolynomial(writer, b);
  return writer.finish();
}

/** @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then. */
export function deserializePublicKey(context: RlweContext, bytes: Uint8Array): PublicKey {
  const reader = createByteReader(bytes);
  readHeader(reader, "publicKey", context);
  const seed = reader.bytes(SEED_BYTES).slice();
  const basis = context.keyBasis(context.maxLevel);
  const b = readPolynomial(reader, context.ring, basis);
  try {
    reader.end();
  } catch (error) {
    b.block.free();
    throw error;
  }
  return { b, a: expandUniform(context.ring, basis, seed, PUBLIC_KEY_SEED_LABEL), seed };
}

/** Gives the key's memory back. */
export function freePublicKey({ a, b }: PublicKey): void {
  a.block.free();
  b.block.free();
}
