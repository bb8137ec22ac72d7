/** Evaluation keys on the wire: the uniform halves travel as seeds. */

import { CrcnnError } from "../../errors/index.ts";
import { expandUniform, type Polynomial, SEED_BYTES } from "../../math/index.ts";
import type { EvaluationKeys, KeySwitchingKey } from "../keys.ts";
import type { RlweContext } from "../parameters.ts";
import { type ByteReader, type ByteWriter, createByteReader, createByteWriter } from "./bytes.ts";
import { HEADER_BYTES, readHeader, writeHeader } from "./header.ts";
import { polynomialBytes, readPolynomial, writePolynomial } from "./polynomial.ts";

/** Element 0 is no Galois element; on the wire it stands for the relinearization key. */
const RELINEARIZATION = 0;

function writeKey(writer: ByteWriter, element: number, key: KeySwitchingKey): void {
  writer.uint32(element);
  writer.uint8(key.level);
  writer.bytes(key.seed);
  for (const { b } of key.digits) writePolynomial(writer, b);
}

/** Exactly what {@link writeKey} writes: tens of megabytes are not to be copied because they outgrew a buffer. */
function keyBytes({ ring }: RlweContext, { digits }: KeySwitchingKey): number {
  return digits.reduce((sum, { b }) => sum + polynomialBytes(ring, b.basis), 4 + 1 + SEED_BYTES);
}

function readKey(reader: ByteReader, context: RlweContext): { element: number; key: KeySwitchingKey } {
  const element = reader.uint32();
  const level = reader.uint8();
  const { degree } = context.ring;
  if (element !== RELINEARIZATION && (element % 2 === 0 || element >= 2 * degree)) {
    throw new CrcnnError("INVALID_MESSAGE", `${element} is not a Galois element of a ring of degree ${degree}`);
  }
  if (level > context.maxLevel) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `a key for level ${level} was sent, the chain ends at level ${context.maxLevel}`,
    );
  }
  const seed = reader.bytes(SEED_BYTES).slice();
  const basis = context.keyBasis(level);
  const made: Polynomial<"ntt">[] = [];
  const keep = (polynomial: Polynomial<"ntt">): Polynomial<"ntt"> => {
    made.push(polynomial);
    return polynomial;
  };
  try {
    const digits = context.digits(level).map((_, label) => ({
      b: keep(readPolynomial(reader, context.ring, basis)),
      a: keep(expandUniform(context.ring, basis, seed, label)),
    }));
    return { element, key: { level, digits, seed } };
  } catch (error) {
    for (const { block } of made) block.free();
    throw error;
  }
}

/** All evaluation keys in one message. */
export function serializeEvaluationKeys(context: RlweContext, keys: EvaluationKeys): Uint8Array<ArrayBuffer> {
  const length = allKeys(keys).reduce((sum, key) => sum + keyBytes(context, key), HEADER_BYTES + 2);
  const writer = createByteWriter(length);
  writeHeader(writer, "evaluationKeys", context);
  writer.uint16(keys.galois.size + (keys.relinearization ? 1 : 0));
  if (keys.relinearization) writeKey(writer, RELINEARIZATION, keys.relinearization);
  for (const [element, key] of keys.galois) writeKey(writer, element, key);
  return writer.finish();
}

/** @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT; no memory stays reserved then. */
export function deserializeEvaluationKeys(context: RlweContext, bytes: Uint8Array): EvaluationKeys {
  const reader = createByteReader(bytes);
  readHeader(reader, "evaluationKeys", context);
  const galois = new Map<number, KeySwitchingKey>();
  let relinearization: KeySwitchingKey | undefined;
  try {
    for (let count = reader.uint16(); count > 0; count--) {
      const { element, key } = readKey(reader, context);
      if (element === RELINEARIZATION) relinearization = key;
      else galois.set(element, key);
    }
    reader.end();
  } catch (error) {
    freeEvaluationKeys({ relinearization, galois });
    throw error;
  }
  return { relinearization, galois };
}

function allKeys({ relinearization, galois }: EvaluationKeys): KeySwitchingKey[] {
  return [...(relinearization ? [relinearization] : []), ...galois.values()];
}

/** Gives the keys' memory back. */
export function freeEvaluationKeys(keys: EvaluationKeys): void {
  for (const { digits } of allKeys(keys)) {
    for (const { a, b } of digits) {
      a.block.free();
      b.block.free();
    }
  }
}
