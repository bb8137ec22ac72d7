/** CKKS ciphertexts on the wire. A fresh symmetric encryption sends 32 bytes in place of its uniform component. */

import { CrcnnError } from "../errors/index.ts";
import { expandUniform, type Polynomial, SEED_BYTES } from "../math/index.ts";
import {
  type ByteReader,
  CIPHERTEXT_SEED_LABEL,
  createByteReader,
  createByteWriter,
  freeCiphertext,
  type RlweContext,
  readHeader,
  readPolynomial,
  writeHeader,
  writePolynomial,
} from "../rlwe/index.ts";
import type { CkksCiphertext } from "./ciphertext.ts";

/** Ciphertexts that are sent have two components, three where a product was not relinearized. */
const MAXIMUM_COMPONENTS = 3;

/** Several ciphertexts in one message. */
export function serializeCiphertexts(
  context: RlweContext,
  ciphertexts: readonly CkksCiphertext[],
): Uint8Array<ArrayBuffer> {
  const writer = createByteWriter(2 ** 18);
  writeHeader(writer, "ciphertexts", context);
  writer.uint16(ciphertexts.length);
  for (const { components, level, scale, seed } of ciphertexts) {
    writer.uint8(level);
    writer.uint8(components.length);
    writer.uint8(seed ? 1 : 0);
    writer.float64(scale);
    if (seed) writer.bytes(seed);
    for (const component of seed ? components.slice(0, 1) : components) writePolynomial(writer, component);
  }
  return writer.finish();
}

/**
 * @param maximum How many ciphertexts are accepted.
 * @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then.
 */
export function deserializeCiphertexts(context: RlweContext, bytes: Uint8Array, maximum: number): CkksCiphertext[] {
  const reader = createByteReader(bytes);
  readHeader(reader, "ciphertexts", context);
  const count = reader.uint16();
  if (count > maximum) {
    throw new CrcnnError("INVALID_MESSAGE", `the message holds ${count} ciphertexts, at most ${maximum} are expected`);
  }
  const ciphertexts: CkksCiphertext[] = [];
  try {
    for (let i = 0; i < count; i++) ciphertexts.push(readCiphertext(reader, context));
    reader.end();
  } catch (error) {
    ciphertexts.forEach(freeCiphertext);
    throw error;
  }
  return ciphertexts;
}

function readCiphertext(reader: ByteReader, context: RlweContext): CkksCiphertext {
  const level = reader.uint8();
  const count = reader.uint8();
  const seeded = reader.uint8();
  const scale = reader.float64();
  if (level > context.maxLevel) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext at level ${level} was sent, the chain ends at level ${context.maxLevel}`,
    );
  }
  if (count < 2 || count > MAXIMUM_COMPONENTS || seeded > 1 || (seeded === 1 && count !== 2)) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext of ${count} components (seeded: ${seeded}) is not understood`,
    );
  }
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new CrcnnError("INVALID_MESSAGE", `a ciphertext's scale must be a positive number, got ${scale}`);
  }
  const basis = context.dataBasis(level);
  const seed = seeded === 1 ? reader.bytes(SEED_BYTES).slice() : undefined;
  const components: Polynomial<"ntt">[] = [];
  try {
    for (let i = 0; i < (seed ? 1 : count); i++) components.push(readPolynomial(reader, context.ring, basis));
  } catch (error) {
    for (const { block } of components) block.free();
    throw error;
  }
  if (!seed) return { context, components, level, scale };
  components.push(expandUniform(context.ring, basis, seed, CIPHERTEXT_SEED_LABEL));
  return { context, components, level, scale, seed };
}
