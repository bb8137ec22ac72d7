/** BFV ciphertexts on the wire, always in NTT form. A fresh symmetric encryption sends 32 bytes in place of its uniform component. */

import { CrcnnError } from "../errors/index.ts";
import { SEED_BYTES } from "../math/index.ts";
import {
  type ByteReader,
  createByteWriter,
  HEADER_BYTES,
  polynomialBytes,
  readCiphertexts,
  readComponents,
  requireWireLevel,
  writeComponents,
  writeHeader,
} from "../rlwe/index.ts";
import type { BfvCiphertext } from "./ciphertext.ts";
import { createOperandChecks } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";

/** What a reader accepts. */
export interface BfvReadLimits {
  /** Ciphertexts in one message. */
  readonly ciphertexts: number;
  /** Components of a ciphertext: 2 by default; more where products are not relinearized, as many as the computation yields. */
  readonly components?: number;
}

/**
 * Several ciphertexts in one message. Products are converted with `evaluator.toNtt` first.
 *
 * @throws CrcnnError DOMAIN_MISMATCH, FOREIGN_OBJECT
 */
export function serializeBfvCiphertexts(
  context: BfvContext,
  ciphertexts: readonly BfvCiphertext<"ntt">[],
): Uint8Array<ArrayBuffer> {
  const { requireNtt } = createOperandChecks(context);
  for (const ciphertext of ciphertexts) requireNtt("serializeBfvCiphertexts", ciphertext);
  const writer = createByteWriter(messageBytes(context, ciphertexts));
  writeHeader(writer, "ciphertexts", context);
  writer.uint16(ciphertexts.length);
  for (const ciphertext of ciphertexts) {
    writer.uint8(ciphertext.level);
    writer.uint8(ciphertext.components.length);
    writer.uint8(ciphertext.seed ? 1 : 0);
    writeComponents(writer, ciphertext);
  }
  return writer.finish();
}

/** Exactly what is written: in PyCrCNN's representation there are thousands of messages, each too short for a guess. */
function messageBytes(context: BfvContext, ciphertexts: readonly BfvCiphertext<"ntt">[]): number {
  return ciphertexts.reduce((sum, { components, level, seed }) => {
    const polynomial = polynomialBytes(context.ring, context.dataBasis(level));
    return sum + 3 + (seed ? SEED_BYTES + polynomial : components.length * polynomial);
  }, HEADER_BYTES + 2);
}

/** @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then. */
export function deserializeBfvCiphertexts(
  context: BfvContext,
  bytes: Uint8Array,
  { ciphertexts: maximum, components: maximumComponents = 2 }: BfvReadLimits,
): BfvCiphertext<"ntt">[] {
  return readCiphertexts(context, bytes, maximum, (reader) => readCiphertext(reader, context, maximumComponents));
}

function readCiphertext(reader: ByteReader, context: BfvContext, maximumComponents: number): BfvCiphertext<"ntt"> {
  const level = reader.uint8();
  const count = reader.uint8();
  const seeded = reader.uint8();
  requireWireLevel(context, level);
  if (count < 2 || count > maximumComponents || seeded > 1 || (seeded === 1 && count !== 2)) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext of ${count} components (seeded: ${seeded}) was sent, at most ${maximumComponents} are expected`,
    );
  }
  return { context, level, ...readComponents(reader, context, level, count, seeded === 1) };
}
