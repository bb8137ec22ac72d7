/** Encrypted tensors in JSON: one ciphertext an element, each a message of its own in base64. */

import {
  type BfvCiphertext,
  type BfvContext,
  type BfvParameters,
  deserializeBfvCiphertexts,
  serializeBfvCiphertexts,
} from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { SEED_BYTES } from "../math/index.ts";
import type { Shape } from "../plan/index.ts";
import { freeCiphertext, HEADER_BYTES } from "../rlwe/index.ts";
import { base64Length, decodeBase64, encodeBase64 } from "./base64.ts";
import { type FlatStrings, type NestedStrings, nest } from "./nested.ts";

/** A tensor with one ciphertext an element, in row-major order. */
export interface CiphertextTensor {
  readonly shape: Shape;
  readonly ciphertexts: readonly BfvCiphertext[];
}

/** Number of ciphertexts, level, number of components, seeded or not. */
const CIPHERTEXT_BYTES = 5;

/** Characters of one ciphertext at the top level. A seed takes the place of the second of two components. */
export function ciphertextCharacters(
  { ringDegree, dataPrimes }: Pick<BfvParameters, "ringDegree" | "dataPrimes">,
  components: number | "seeded",
): number {
  const bits = dataPrimes.reduce((sum, prime) => sum + Math.ceil(Math.log2(prime)), 0);
  const polynomial = (ringDegree * bits) / 8;
  const payload = components === "seeded" ? SEED_BYTES + polynomial : components * polynomial;
  return base64Length(HEADER_BYTES + CIPHERTEXT_BYTES + payload);
}

/**
 * Checks that items can be ciphertexts at the top level, from parameters alone: a context takes time and memory to make.
 *
 * @param name For messages, as `data`.
 * @param components Most components of one ciphertext.
 * @throws CrcnnError INVALID_MESSAGE naming the element.
 */
export function requireCiphertextLengths(
  parameters: BfvParameters,
  { items }: FlatStrings,
  name: string,
  components: number,
): void {
  const lengths = new Set([ciphertextCharacters(parameters, "seeded")]);
  for (let count = 2; count <= components; count++) lengths.add(ciphertextCharacters(parameters, count));
  const wrong = items.findIndex(({ length }) => !lengths.has(length));
  if (wrong < 0) return;
  throw new CrcnnError(
    "INVALID_MESSAGE",
    `element ${wrong} of ${name} has ${items[wrong]!.length} characters, a ciphertext of these encryption parameters has ` +
      [...lengths].join(" or "),
  );
}

/** @throws CrcnnError FOREIGN_OBJECT, DOMAIN_MISMATCH for a product in coefficient form. */
export function encodeCiphertexts(context: BfvContext, { shape, ciphertexts }: CiphertextTensor): NestedStrings {
  const items = (ciphertexts as readonly BfvCiphertext<"ntt">[]).map((ciphertext) =>
    // Checks the form.
    encodeBase64(serializeBfvCiphertexts(context, [ciphertext])),
  );
  return nest({ shape, items });
}

/**
 * Reads what {@link encodeCiphertexts} writes, once `flatten` has taken it apart.
 *
 * @param name For messages, as `data`.
 * @param components Most components of one ciphertext.
 * @throws CrcnnError INVALID_MESSAGE, FOREIGN_OBJECT; no memory stays reserved then.
 */
export function decodeCiphertexts(
  context: BfvContext,
  tensor: FlatStrings,
  name: string,
  components: number,
): CiphertextTensor {
  requireCiphertextLengths(context.parameters, tensor, name, components);
  const ciphertexts: BfvCiphertext<"ntt">[] = [];
  try {
    for (const [i, item] of tensor.items.entries()) {
      const what = `element ${i} of ${name}`;
      ciphertexts.push(readOne(context, decodeBase64(item, what), components, what));
    }
  } catch (error) {
    ciphertexts.forEach(freeCiphertext);
    throw error;
  }
  return { shape: tensor.shape, ciphertexts };
}

function readOne(context: BfvContext, bytes: Uint8Array, components: number, what: string): BfvCiphertext<"ntt"> {
  const limits = { ciphertexts: 1, components };
  const [ciphertext] = readField(what, () => deserializeBfvCiphertexts(context, bytes, limits));
  if (ciphertext) return ciphertext;
  throw new CrcnnError("INVALID_MESSAGE", `${what} holds no ciphertext`);
}

/** What reads a field's bytes, with the field's name before its complaints. */
export function readField<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CrcnnError)) throw error;
    const { code, message } = error;
    const foreign = "it was made under other encryption parameters than those of the request";
    throw new CrcnnError(code, `${what}: ${code === "FOREIGN_OBJECT" ? foreign : message}`, { cause: error });
  }
}
