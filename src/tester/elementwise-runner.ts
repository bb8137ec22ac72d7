/** A network in PyCrCNN's representation with its key's owner beside the evaluator, which never decrypts: as over HTTP, without the wire. */

import { createFractionalEncoder } from "../bfv/index.ts";
import type { CompiledElementwise } from "../builder/index.ts";
import { type BfvOwner, type EncryptedBfvTensor, runRefreshRounds } from "../owner/index.ts";
import {
  checkInput,
  createFractionalBatchOperations,
  freeBatchProgram,
  prepareBatchProgram,
  runBatch,
  type Tensor,
} from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";

/** What the key's owner sees at one place of the network. */
export interface Observation {
  /** Number of the layer behind which it is, or undefined for the encrypted input. */
  readonly layer: number | undefined;
  /** Least noise budget of the ciphertexts, in bits; 0 where the values are lost. */
  readonly minNoise: number;
  /** The decrypted values, or undefined where they are lost. */
  readonly values: Tensor | undefined;
  /** What the layer took; of the input, its encryption. */
  readonly milliseconds: number;
}

export interface RunnerOptions {
  /** Called at the start and behind each plan: behind each layer where they were compiled separately. Decrypting there takes time of its own. */
  readonly onObservation?: ((observation: Observation) => void) | undefined;
  /** Called with the milliseconds that each such look took. */
  readonly onLooked?: ((milliseconds: number) => void) | undefined;
}

export interface ElementwiseRunner {
  /**
   * Encrypts, evaluates, and decrypts; between segments the owner does what stands there and encrypts afresh.
   *
   * @throws CrcnnError SHAPE_MISMATCH for an input that the network was not compiled for; PRECISION_LOST for one outside of its range, and when
   * a budget is used up.
   */
  run(input: Tensor): Promise<Tensor>;
  /** Gives the memory of encoded weights back. */
  free(): void;
}

/** @param owner Made for the network's parameters. Keys that it lacks are made. */
export function createElementwiseRunner(
  { chosen, keys, inputRange, segments }: CompiledElementwise,
  owner: BfvOwner,
  { onObservation, onLooked }: RunnerOptions = {},
): ElementwiseRunner {
  const { base } = chosen;
  owner.addKeys(keys);
  const encoder = createFractionalEncoder(owner.context, { base });
  const programs = segments.map(({ parts }) =>
    parts.map(({ plan }) =>
      prepareBatchProgram(plan, createFractionalBatchOperations(plan, owner.evaluator, { base })),
    ),
  );

  function observe(layer: number | undefined, tensor: EncryptedBfvTensor, milliseconds: number): void {
    if (!onObservation) return;
    const start = performance.now();
    const minNoise = Math.min(...tensor.ciphertexts.map(owner.noiseBudget));
    const values = minNoise > 0 ? owner.decryptTensor(encoder, tensor) : undefined;
    onObservation({ layer, minNoise, values, milliseconds });
    onLooked?.(performance.now() - start);
  }

  /** What the owner holds in the clear is encrypted only to be looked at. */
  function observeEncrypted(layer: number | undefined, values: Tensor): void {
    if (!onObservation) return;
    const start = performance.now();
    const tensor = owner.encryptTensor(encoder, values);
    const milliseconds = performance.now() - start;
    onLooked?.(milliseconds);
    observe(layer, tensor, milliseconds);
    freeTensor(tensor);
  }

  function evaluate(_: readonly number[], input: EncryptedBfvTensor, round: number): EncryptedBfvTensor {
    let tensor = input;
    try {
      for (const [i, program] of programs[round].entries()) {
        const start = performance.now();
        const ciphertexts = runBatch(program, tensor.ciphertexts, { onInputDone: freeCiphertext });
        tensor = { shape: program.plan.outputShape, ciphertexts };
        observe(segments[round].parts[i].layers[1], tensor, performance.now() - start);
      }
      return tensor;
    } catch (error) {
      freeTensor(tensor);
      throw error;
    }
  }

  const rounds = segments.map(({ ownerSquares, parts }) => ({
    squares: ownerSquares,
    layers: parts.flatMap(({ layers: [first, last] }) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
  }));

  return {
    async run(input) {
      checkInput({ shape: segments[0].inputShape, ...(inputRange ? { range: inputRange } : {}) }, input);
      observeEncrypted(undefined, input);
      return runRefreshRounds(owner, { rounds, encoder, evaluate, lost: "throw", onSquare: observeEncrypted }, input);
    },
    free() {
      for (const own of programs) own.forEach(freeBatchProgram);
    },
  };
}

/** Ciphertexts that are freed already stay so. */
function freeTensor({ ciphertexts }: EncryptedBfvTensor): void {
  for (const ciphertext of ciphertexts) freeCiphertext(ciphertext);
}
