/** CKKS ciphertexts on the wire. A fresh symmetric encryption sends 32 bytes in place of its uniform component. */

import { CrcnnError } from "../errors/index.ts";
import {
  type ByteReader,
  createByteWriter,
  type RlweContext,
  readCiphertexts,
  readComponents,
  requireWireLevel,
  writeComponents,
  writeHeader,
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
  for (const ciphertext of ciphertexts) {
    writer.uint8(ciphertext.level);
    writer.uint8(ciphertext.components.length);
    writer.uint8(ciphertext.seed ? 1 : 0);
    writer.float64(ciphertext.scale);
    writeComponents(writer, ciphertext);
  }
  return writer.finish();
}

/**
 * @param maximum How many ciphertexts are accepted.
 * @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then.
 */
export function deserializeCiphertexts(context: RlweContext, bytes: Uint8Array, maximum: number): CkksCiphertext[] {
  return readCiphertexts(context, bytes, maximum, (reader) => readCiphertext(reader, context));
}

function readCiphertext(reader: ByteReader, context: RlweContext): CkksCiphertext {
  const level = reader.uint8();
  const count = reader.uint8();
  const seeded = reader.uint8();
  const scale = reader.float64();
  requireWireLevel(context, level);
  if (count < 2 || count > MAXIMUM_COMPONENTS || seeded > 1 || (seeded === 1 && count !== 2)) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext of ${count} components (seeded: ${seeded}) is not understood`,
    );
  }
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new CrcnnError("INVALID_MESSAGE", `a ciphertext's scale must be a positive number, got ${scale}`);
  }
  return { context, level, scale, ...readComponents(reader, context, level, count, seeded === 1) };
}
