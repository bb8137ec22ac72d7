/** A network that was compiled for CKKS with its key's owner beside the evaluator, in either packing. */

import type { CompiledBatch, CompiledNetwork } from "../builder/index.ts";
import type { KeyOwner } from "../owner/index.ts";
import {
  createCkksBatchOperations,
  freeBatchProgram,
  freeProgram,
  prepareBatchProgram,
  prepareProgram,
  runBatch,
  runEncrypted,
  type Tensor,
} from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";

/** A segment, from one encryption to the next decryption. */
export type SegmentRun = (input: Tensor) => Tensor;

export interface CkksRunner {
  readonly segments: readonly SegmentRun[];
  /** Gives the memory of encoded weights back. */
  free(): void;
}

export function createCkksRunner(network: CompiledNetwork | CompiledBatch, owner: KeyOwner): CkksRunner {
  return "packing" in network.manifest
    ? batchRunner(network as CompiledBatch, owner)
    : imageRunner(network as CompiledNetwork, owner);
}

function imageRunner({ manifest, plans, schedules }: CompiledNetwork, owner: KeyOwner): CkksRunner {
  const { operations, encoder } = owner.evaluator;
  const programs = plans.map((plan, i) => prepareProgram(plan, schedules[i], encoder));
  return {
    segments: manifest.segments.map((segment, i) => (input) => {
      const inputs = owner.encryptInput(segment, input);
      const outputs = runEncrypted(programs[i], operations, inputs);
      const result = owner.decryptOutput(segment, outputs);
      for (const ciphertext of [...inputs, ...outputs]) freeCiphertext(ciphertext);
      return result;
    }),
    free: () => programs.forEach(freeProgram),
  };
}

function batchRunner({ manifest, plans }: CompiledBatch, owner: KeyOwner): CkksRunner {
  const programs = plans.map((plan, i) =>
    prepareBatchProgram(plan, createCkksBatchOperations(plan, owner.evaluator, manifest.segments[i])),
  );
  return {
    segments: manifest.segments.map((segment, i) => (input) => {
      const inputs = owner.encryptBatch(segment, [input]);
      const outputs = runBatch(programs[i], inputs, { onInputDone: freeCiphertext });
      const [result] = owner.decryptBatch(segment, outputs, 1);
      outputs.forEach(freeCiphertext);
      return result;
    }),
    free: () => programs.forEach(freeBatchProgram),
  };
}
