/** Encrypted tensors in JSON: one ciphertext an element, each a message of its own in base64. */

import {
  type BfvCiphertext,
  type BfvContext,
  deserializeBfvCiphertexts,
  serializeBfvCiphertexts,
} from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import type { Shape } from "../plan/index.ts";
import { freeCiphertext, HEADER_BYTES, polynomialBytes } from "../rlwe/index.ts";
import { base64Length, decodeBase64, encodeBase64 } from "./base64.ts";
import { MAX_COMPUTE_AXES } from "./compute.ts";
import { flatten, type NestedStrings, nest } from "./nested.ts";

/** A tensor with one ciphertext an element, in row-major order. */
export interface CiphertextTensor {
  readonly shape: Shape;
  readonly ciphertexts: readonly BfvCiphertext<"ntt">[];
}

/** What a reader accepts. */
export interface CiphertextTensorLimits {
  readonly elements: number;
  /** Components of one ciphertext. */
  readonly components: number;
}

/** Number of ciphertexts, level, number of components, seeded or not. */
const CIPHERTEXT_BYTES = 5;

/** Most characters of one ciphertext. */
export function ciphertextCharacters(context: BfvContext, components: number): number {
  const polynomial = polynomialBytes(context.ring, context.dataBasis(context.maxLevel));
  return base64Length(HEADER_BYTES + CIPHERTEXT_BYTES + components * polynomial);
}

/** @throws CrcnnError FOREIGN_OBJECT */
export function encodeCiphertexts(context: BfvContext, { shape, ciphertexts }: CiphertextTensor): NestedStrings {
  const items = ciphertexts.map((ciphertext) => encodeBase64(serializeBfvCiphertexts(context, [ciphertext])));
  return nest({ shape, items });
}

/**
 * Reads what {@link encodeCiphertexts} writes.
 *
 * @param name For messages, as `data`.
 * @throws CrcnnError INVALID_MESSAGE, LIMIT_EXCEEDED, FOREIGN_OBJECT; no memory stays reserved then.
 */
export function decodeCiphertexts(
  context: BfvContext,
  nested: unknown,
  name: string,
  { elements, components }: CiphertextTensorLimits,
): CiphertextTensor {
  const { shape, items } = flatten(nested, name, { axes: MAX_COMPUTE_AXES, elements });
  const longest = ciphertextCharacters(context, components);
  const ciphertexts: BfvCiphertext<"ntt">[] = [];
  try {
    for (const [i, item] of items.entries()) {
      const what = `element ${i} of ${name}`;
      if (item.length > longest) {
        throw new CrcnnError(
          "INVALID_MESSAGE",
          `${what} has ${item.length} characters, a ciphertext of ${components} components has at most ${longest}`,
        );
      }
      ciphertexts.push(readOne(context, decodeBase64(item, what), components, what));
    }
  } catch (error) {
    ciphertexts.forEach(freeCiphertext);
    throw error;
  }
  return { shape, ciphertexts };
}

function readOne(context: BfvContext, bytes: Uint8Array, components: number, what: string): BfvCiphertext<"ntt"> {
  try {
    const [ciphertext] = deserializeBfvCiphertexts(context, bytes, { ciphertexts: 1, components });
    if (ciphertext) return ciphertext;
  } catch (error) {
    if (!(error instanceof CrcnnError)) throw error;
    throw new CrcnnError(error.code, `${what}: ${error.message}`, { cause: error });
  }
  throw new CrcnnError("INVALID_MESSAGE", `${what} holds no ciphertext`);
}
