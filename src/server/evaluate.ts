/** From bytes to bytes: what a session does with keys and ciphertexts from the wire. Everything in them is checked against the plan. */

import { type CkksCiphertext, deserializeCiphertexts, serializeCiphertexts } from "../ckks/index.ts";
import { type Cancellation, CrcnnError } from "../errors/index.ts";
import { createEvaluator, type PlanManifest, runEncrypted, type SegmentManifest } from "../plan/index.ts";
import { deserializeEvaluationKeys, type EvaluationKeys, freeCiphertext, freeEvaluationKeys } from "../rlwe/index.ts";
import type { Evaluation } from "./compute.ts";
import type { HeldPlan } from "./program-cache.ts";

/**
 * Reads a session's keys.
 *
 * @throws CrcnnError INVALID_MESSAGE, FOREIGN_OBJECT, or MISSING_KEY when the plan wants others.
 */
export function receiveKeys({ context, network }: HeldPlan, bytes: Uint8Array): EvaluationKeys {
  const { keys: demand, policy } = network.manifest;
  const keys = deserializeEvaluationKeys(context, bytes);
  try {
    createEvaluator(context, keys, policy).requireKeys(demand);
    return keys;
  } catch (error) {
    freeEvaluationKeys(keys);
    throw error;
  }
}

/** One of a plan's segments. @throws CrcnnError INVALID_MESSAGE for a number that it has not got. */
export function segmentOf({ segments }: PlanManifest, segment: number): SegmentManifest {
  const found = segments[segment];
  if (found) return found;
  throw new CrcnnError("INVALID_MESSAGE", `the plan has the segments 0 to ${segments.length - 1}, there is no other`);
}

/**
 * Evaluates a segment on a message of ciphertexts.
 *
 * @throws CrcnnError INVALID_MESSAGE or FOREIGN_OBJECT for ciphertexts that are not what the plan takes; ABORTED.
 */
export function evaluateSegment(
  { context, network, programs }: HeldPlan,
  keys: EvaluationKeys,
  segment: number,
  bytes: Uint8Array,
  signal: Cancellation,
): Evaluation {
  const manifest = segmentOf(network.manifest, segment);
  const { policy } = network.manifest;
  const inputs = deserializeCiphertexts(context, bytes, manifest.input.ciphertexts);
  try {
    checkInputs(inputs, manifest, policy.messageScale);
    const { operations } = createEvaluator(context, keys, policy);
    const program = programs()[segment]!;
    const start = performance.now();
    const outputs = runEncrypted(program, operations, inputs, { signal });
    const milliseconds = performance.now() - start;
    const result = serializeCiphertexts(context, outputs);
    outputs.forEach(freeCiphertext);
    return { bytes: result, milliseconds };
  } finally {
    inputs.forEach(freeCiphertext);
  }
}

function checkInputs(inputs: readonly CkksCiphertext[], { input, inputLevel }: SegmentManifest, scale: number): void {
  if (inputs.length !== input.ciphertexts) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `the plan takes ${input.ciphertexts} ciphertexts, ${inputs.length} were sent`,
    );
  }
  for (const ciphertext of inputs) {
    if (ciphertext.level !== inputLevel || ciphertext.components.length !== 2 || ciphertext.scale !== scale) {
      throw new CrcnnError(
        "INVALID_MESSAGE",
        `the plan takes ciphertexts of 2 components at level ${inputLevel} and scale ${scale}, one of ${ciphertext.components.length} ` +
          `at level ${ciphertext.level} and scale ${ciphertext.scale} was sent`,
      );
    }
  }
}
