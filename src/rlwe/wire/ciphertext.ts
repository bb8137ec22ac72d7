/** What the schemes' ciphertexts have in common on the wire: lists of them, and their components. */

import { CrcnnError } from "../../errors/index.ts";
import { expandUniform, type Polynomial, SEED_BYTES } from "../../math/index.ts";
import { CIPHERTEXT_SEED_LABEL, type Ciphertext, freeCiphertext } from "../ciphertext.ts";
import type { RlweContext } from "../parameters.ts";
import { type ByteReader, type ByteWriter, createByteReader } from "./bytes.ts";
import { readHeader } from "./header.ts";
import { readPolynomial, writePolynomial } from "./polynomial.ts";

/**
 * Reads a whole message of ciphertexts.
 *
 * @param maximum How many ciphertexts are accepted.
 * @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then.
 */
export function readCiphertexts<C extends Ciphertext>(
  context: RlweContext,
  bytes: Uint8Array,
  maximum: number,
  readCiphertext: (reader: ByteReader) => C,
): C[] {
  const reader = createByteReader(bytes);
  readHeader(reader, "ciphertexts", context);
  const count = reader.uint16();
  if (count > maximum) {
    throw new CrcnnError("INVALID_MESSAGE", `the message holds ${count} ciphertexts, at most ${maximum} are expected`);
  }
  const ciphertexts: C[] = [];
  try {
    for (let i = 0; i < count; i++) ciphertexts.push(readCiphertext(reader));
    reader.end();
  } catch (error) {
    ciphertexts.forEach(freeCiphertext);
    throw error;
  }
  return ciphertexts;
}

/** @throws CrcnnError INVALID_MESSAGE for a level beyond the chain. */
export function requireWireLevel({ maxLevel }: RlweContext, level: number): void {
  if (level <= maxLevel) return;
  throw new CrcnnError(
    "INVALID_MESSAGE",
    `a ciphertext at level ${level} was sent, the chain ends at level ${maxLevel}`,
  );
}

/** Writes the components, or of a fresh symmetric encryption the seed and the first one: what {@link readComponents} reads. */
export function writeComponents(writer: ByteWriter, { components, seed }: Ciphertext): void {
  if (seed) writer.bytes(seed);
  for (const component of seed ? components.slice(0, 1) : components) writePolynomial(writer, component);
}

/** Reads `count` components at a level; where they are seeded, the seed and the first one, which the second follows from. */
export function readComponents(
  reader: ByteReader,
  context: RlweContext,
  level: number,
  count: number,
  seeded: boolean,
): { readonly components: Polynomial<"ntt">[]; readonly seed?: Uint8Array } {
  const basis = context.dataBasis(level);
  const seed = seeded ? reader.bytes(SEED_BYTES).slice() : undefined;
  const components: Polynomial<"ntt">[] = [];
  try {
    for (let i = 0; i < (seed ? 1 : count); i++) components.push(readPolynomial(reader, context.ring, basis));
  } catch (error) {
    for (const { block } of components) block.free();
    throw error;
  }
  if (!seed) return { components };
  components.push(expandUniform(context.ring, basis, seed, CIPHERTEXT_SEED_LABEL));
  return { components, seed };
}
