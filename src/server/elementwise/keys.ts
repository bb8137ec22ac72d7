/** Keys that come with a request for layers. */

import type { BfvContext, BfvParameters } from "../../bfv/index.ts";
import { CrcnnError } from "../../errors/index.ts";
import { base64Length, decodeBase64, evaluationKeyBytes, readField } from "../../protocol/index.ts";
import {
  deserializeEvaluationKeys,
  deserializePublicKey,
  type EvaluationKeys,
  freePublicKey,
} from "../../rlwe/index.ts";
import type { ComputeBody } from "./body.ts";

const NO_KEYS: EvaluationKeys = { relinearization: undefined, galois: new Map() };

/**
 * Checks that the evaluation keys can be one key for relinearization at the top level, the only one that layers use.
 *
 * @throws CrcnnError INVALID_MESSAGE
 */
export function requireKeyLength({ specialPrimes, ...rest }: BfvParameters, keys: string | undefined): void {
  if (keys === undefined) return;
  if (specialPrimes.length === 0) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      "evaluation_keys cannot be under these encryption parameters, which have no special prime; leave it out",
    );
  }
  const level = rest.dataPrimes.length - 1;
  const manifest = { parameters: { ...rest, specialPrimes }, keys: { rotations: [], relinearization: level } };
  const expected = base64Length(evaluationKeyBytes(manifest));
  if (keys.length === expected) return;
  throw new CrcnnError(
    "INVALID_MESSAGE",
    `evaluation_keys has ${keys.length} characters, the one key for relinearization that layers use has ${expected}`,
  );
}

/** Reads the evaluation keys. The public key is looked at and let go: layers do without. @throws CrcnnError INVALID_MESSAGE, FOREIGN_OBJECT */
export function readKeys(context: BfvContext, { public_key, evaluation_keys }: ComputeBody): EvaluationKeys {
  if (public_key !== undefined) {
    const bytes = decodeBase64(public_key, "public_key");
    freePublicKey(readField("public_key", () => deserializePublicKey(context, bytes)));
  }
  if (evaluation_keys === undefined) return NO_KEYS;
  const bytes = decodeBase64(evaluation_keys, "evaluation_keys");
  return readField("evaluation_keys", () => deserializeEvaluationKeys(context, bytes));
}
