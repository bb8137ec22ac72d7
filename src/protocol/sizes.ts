/** How large the messages of a session can be, known from the plan alone: both sides refuse more before they read it. */

import { demandBytes, keyLevels, type PlanManifest, polynomialBytes } from "../plan/index.ts";
import type { RlweParameters } from "../rlwe/index.ts";

/** JSON requests are short. */
export const MAX_REQUEST_BYTES: number = 2 ** 16;
/** Manifests list where each slot comes from. */
export const MAX_MANIFEST_BYTES: number = 2 ** 26;

/** Mark, version, kind, digest of the parameters, number of entries (`rlwe/wire/header`). */
const HEADER_BYTES = 16;
/** Element, level, seed. */
const KEY_BYTES = 37;
/** Level, number of components, seeded or not, scale. */
const CIPHERTEXT_BYTES = 11;
/** A product that was not relinearized has three components. */
const COMPONENTS = 3;

/** Length of the evaluation keys' message: exact, because the manifest lists them. */
export function evaluationKeyBytes({ parameters, keys }: Pick<PlanManifest, "parameters" | "keys">): number {
  return HEADER_BYTES + KEY_BYTES * keyLevels(keys).length + demandBytes(parameters, keys);
}

/** Most bytes of a message with this many ciphertexts at this level or below. */
export function maximumCiphertextBytes(parameters: RlweParameters, count: number, level: number): number {
  return HEADER_BYTES + count * (CIPHERTEXT_BYTES + COMPONENTS * polynomialBytes(parameters, level));
}
