/** A model compiled for batches with its key's owner, whatever the scheme: for `crcnn run --objective throughput`. */

import { compile, type SourceModel } from "../builder/index.ts";
import { createOwner } from "../owner/index.ts";
import {
  type BatchManifest,
  createCkksBatchOperations,
  createIntegerBatchOperations,
  type IntegerManifest,
  prepareBatchProgram,
  runBatch,
  type Tensor,
} from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import type { ImageSet } from "./images.ts";
import type { EngineChoice } from "./local-network.ts";

export type BatchScheme = "ckks" | "bfv";

/** What takes time. */
export type BatchStep = "encrypt" | "evaluate" | "decrypt";

export interface OpenBatch {
  readonly manifest: BatchManifest | IntegerManifest;
  readonly predictedError: number;
  /** Evaluations that a batch takes: one a plain modulus. */
  readonly evaluations: number;
  /** Of a batch and its keys on the wire. */
  readonly bytes: { readonly keys: number; readonly input: number; readonly output: number };
  /** Makes keys and prepares weights. */
  start(engine: EngineChoice): Promise<BatchRunner>;
}

export interface BatchRunner {
  /** @param timed Runs a step's work. Steps come in turns, once for each evaluation. */
  run(images: readonly Tensor[], timed: <T>(step: BatchStep, work: () => T) => Promise<T>): Promise<Tensor[]>;
  close(): void;
}

export function openBatch(
  model: SourceModel,
  { shape, inputRange }: Pick<ImageSet, "shape" | "inputRange">,
  scheme: BatchScheme,
  weightBits: number | undefined,
): OpenBatch {
  const options = { inputShape: shape, inputRange, weightBits };
  return scheme === "bfv" ? openIntegers(model, options) : openCkks(model, options);
}

type Options = { readonly inputShape: readonly number[] } & Pick<ImageSet, "inputRange"> & {
    readonly weightBits: number | undefined;
  };

function openCkks(model: SourceModel, options: Options): OpenBatch {
  const { manifest, plans, costs, predictedError } = compile(model, { ...options, objective: "throughput" });
  const [segment, plan, cost] = [manifest.segments[0]!, plans[0]!, costs[0]!];
  return {
    manifest,
    predictedError,
    evaluations: 1,
    bytes: { keys: cost.keyBytes, input: cost.inputBytes, output: cost.outputBytes },
    async start(engine) {
      const owner = await createOwner(manifest, engine);
      const program = prepareBatchProgram(plan, createCkksBatchOperations(plan, owner.evaluator, segment));
      return {
        async run(images, timed) {
          const inputs = await timed("encrypt", () => owner.encryptBatch(segment, images));
          const outputs = await timed("evaluate", () => runBatch(program, inputs, { onInputDone: freeCiphertext }));
          const results = await timed("decrypt", () => owner.decryptBatch(segment, outputs, images.length));
          outputs.forEach(freeCiphertext);
          return results;
        },
        close: owner.destroy,
      };
    },
  };
}

function openIntegers(model: SourceModel, options: Options): OpenBatch {
  const { manifest, plans, costs, predictedError } = compile(model, { ...options, scheme: "bfv" });
  const [segment, plan, cost] = [manifest.segments[0]!, plans[0]!, costs[0]!];
  const { length: evaluations } = manifest.plainModuli;
  return {
    manifest,
    predictedError,
    evaluations,
    bytes: { keys: cost.keyBytes, input: evaluations * cost.inputBytes, output: evaluations * cost.outputBytes },
    async start(engine) {
      const owner = await createOwner(manifest, engine);
      const programs = owner.evaluators.map((evaluator) =>
        prepareBatchProgram(plan, createIntegerBatchOperations(plan, evaluator, segment)),
      );
      return {
        async run(images, timed) {
          const outputs: ReturnType<typeof owner.encryptBatch>[] = [];
          for (const [i, program] of programs.entries()) {
            const inputs = await timed("encrypt", () => owner.encryptBatch(segment, images, i));
            outputs.push(await timed("evaluate", () => runBatch(program, inputs, { onInputDone: freeCiphertext })));
          }
          const results = await timed("decrypt", () => owner.decryptBatch(segment, outputs, images.length));
          outputs.flat().forEach(freeCiphertext);
          return results;
        },
        close: owner.destroy,
      };
    },
  };
}
