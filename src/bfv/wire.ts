/** BFV ciphertexts on the wire, always in NTT form. A fresh symmetric encryption sends 32 bytes in place of its uniform component. */

import { CrcnnError } from "../errors/index.ts";
import { expandUniform, type Polynomial, SEED_BYTES } from "../math/index.ts";
import {
  type ByteReader,
  CIPHERTEXT_SEED_LABEL,
  createByteReader,
  createByteWriter,
  freeCiphertext,
  HEADER_BYTES,
  polynomialBytes,
  readHeader,
  readPolynomial,
  writeHeader,
  writePolynomial,
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
  for (const { components, level, seed } of ciphertexts) {
    writer.uint8(level);
    writer.uint8(components.length);
    writer.uint8(seed ? 1 : 0);
    if (seed) writer.bytes(seed);
    for (const component of seed ? components.slice(0, 1) : components) writePolynomial(writer, component);
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
  const reader = createByteReader(bytes);
  readHeader(reader, "ciphertexts", context);
  const count = reader.uint16();
  if (count > maximum) {
    throw new CrcnnError("INVALID_MESSAGE", `the message holds ${count} ciphertexts, at most ${maximum} are expected`);
  }
  const ciphertexts: BfvCiphertext<"ntt">[] = [];
  try {
    for (let i = 0; i < count; i++) ciphertexts.push(readCiphertext(reader, context, maximumComponents));
    reader.end();
  } catch (error) {
    ciphertexts.forEach(freeCiphertext);
    throw error;
  }
  return ciphertexts;
}

function readCiphertext(reader: ByteReader, context: BfvContext, maximumComponents: number): BfvCiphertext<"ntt"> {
  const level = reader.uint8();
  const count = reader.uint8();
  const seeded = reader.uint8();
  if (level > context.maxLevel) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext at level ${level} was sent, the chain ends at level ${context.maxLevel}`,
    );
  }
  if (count < 2 || count > maximumComponents || seeded > 1 || (seeded === 1 && count !== 2)) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a ciphertext of ${count} components (seeded: ${seeded}) was sent, at most ${maximumComponents} are expected`,
    );
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
  if (!seed) return { context, components, level };
  components.push(expandUniform(context.ring, basis, seed, CIPHERTEXT_SEED_LABEL));
  return { context, components, level, seed };
}
