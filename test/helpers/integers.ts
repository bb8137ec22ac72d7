/** Networks that were compiled for integers, run through all their segments. */

import type { CompiledIntegers } from "../../src/builder/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import {
  createIntegerBatchOperations,
  forecastMargin,
  freeBatchProgram,
  measureNoiseGains,
  prepareBatchProgram,
  runBatch,
  type Tensor,
} from "../../src/plan/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";

export interface IntegerResults {
  /** In the units of the network's outputs. */
  readonly tensors: readonly Tensor[];
  /** By segment, then by image. */
  readonly integers: readonly bigint[][][];
  /** By segment: what went in. */
  readonly inputs: readonly (readonly Tensor[])[];
  /** By segment and plain modulus: the least noise budget of an output, and the static estimate of it. */
  readonly budgets: readonly { readonly measured: number; readonly estimated: number }[];
}

export async function runIntegers(
  { manifest, plans }: CompiledIntegers,
  images: readonly Tensor[],
): Promise<IntegerResults> {
  const owner = await createOwner(manifest);
  let tensors: readonly Tensor[] = images;
  const integers: bigint[][][] = [];
  const inputs: (readonly Tensor[])[] = [];
  const budgets: { measured: number; estimated: number }[] = [];
  for (const [i, segment] of manifest.segments.entries()) {
    const plan = plans[i]!;
    const outputs = owner.evaluators.map((evaluator, residue) => {
      const program = prepareBatchProgram(plan, createIntegerBatchOperations(plan, evaluator, segment));
      const encrypted = owner.encryptBatch(segment, tensors, residue);
      const results = runBatch(program, encrypted, { onInputDone: freeCiphertext });
      freeBatchProgram(program);
      const plainModulus = manifest.plainModuli[residue]!;
      budgets.push({
        measured: Math.min(...results.map(owner.noiseBudget)),
        estimated: forecastMargin(plan, measureNoiseGains(plan), { ...manifest.parameters, plainModulus }),
      });
      return results;
    });
    inputs.push(tensors);
    integers.push(owner.decryptIntegers(segment, outputs, tensors.length));
    tensors = owner.decryptBatch(segment, outputs, tensors.length);
    outputs.flat().forEach(freeCiphertext);
  }
  owner.destroy();
  return { tensors, integers, inputs, budgets };
}
