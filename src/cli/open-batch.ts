/** A model compiled for batches with its key's owner, whatever the scheme: for `crcnn run --objective throughput`. */

import type { CompiledBatch, CompiledIntegers, compile, SourceModel } from "../builder/index.ts";
import type { Engine } from "../math/index.ts";
import { createOwner } from "../owner/index.ts";
import {
  type BatchManifest,
  type BatchWireBytes,
  createCkksBatchOperations,
  createIntegerBatchOperations,
  type IntegerManifest,
  prepareBatchProgram,
  runBatch,
  type Tensor,
} from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import type { ImageSet } from "./images.ts";

export type BatchScheme = "ckks" | "bfv";

/** What takes time. */
export type BatchStep = "encrypt" | "evaluate" | "decrypt";

export interface OpenBatch {
  /** Under CKKS, for predictions. */
  readonly compiled?: CompiledBatch;
  readonly manifest: BatchManifest | IntegerManifest;
  readonly predictedError: number;
  /** Evaluations that a batch takes: one a plain modulus. */
  readonly evaluations: number;
  /** Of a batch and its keys on the wire. */
  readonly bytes: { readonly keys: number; readonly input: number; readonly output: number };
  /** Makes keys and prepares weights. */
  start(engine: Engine): Promise<BatchRunner>;
}

export interface BatchRunner {
  /**
   * @param timed Runs a step's work. Encryptions, evaluations and decryptions come in turns, segment by segment.
   * @param onProgress Called now and then within evaluations.
   */
  run(
    images: readonly Tensor[],
    timed: <T>(step: BatchStep, work: () => T) => Promise<T>,
    onProgress: () => void,
  ): Promise<readonly Tensor[]>;
  close(): void;
}

export interface OpenBatchOptions {
  readonly scheme: BatchScheme;
  readonly compile: typeof compile;
  readonly weightBits: number | undefined;
}

export function openBatch(
  model: SourceModel,
  { shape, inputRange }: Pick<ImageSet, "shape" | "inputRange">,
  { scheme, compile: compileNetwork, weightBits }: OpenBatchOptions,
): OpenBatch {
  const options = { inputShape: shape, inputRange, weightBits };
  return scheme === "bfv"
    ? openIntegers(compileNetwork(model, { ...options, scheme }))
    : openCkks(compileNetwork(model, { ...options, objective: "throughput" }));
}

function openCkks(compiled: CompiledBatch): OpenBatch {
  const { manifest, plans, costs, predictedError } = compiled;
  return {
    compiled,
    manifest,
    predictedError,
    evaluations: 1,
    bytes: wireBytes(costs, 1),
    async start(engine) {
      const owner = await createOwner(manifest, { engine });
      const programs = plans.map((plan, s) =>
        prepareBatchProgram(plan, createCkksBatchOperations(plan, owner.evaluator, manifest.segments[s]!)),
      );
      return {
        async run(images, timed, onProgress) {
          let values = images;
          for (const [s, segment] of manifest.segments.entries()) {
            const inputs = await timed("encrypt", () => owner.encryptBatch(segment, values));
            const outputs = await timed("evaluate", () =>
              runBatch(programs[s]!, inputs, { onInputDone: freeCiphertext, onProgress }),
            );
            values = await timed("decrypt", () => owner.decryptBatch(segment, outputs, images.length));
            outputs.forEach(freeCiphertext);
          }
          return values;
        },
        close: owner.destroy,
      };
    },
  };
}

function openIntegers({ manifest, plans, costs, predictedError }: CompiledIntegers): OpenBatch {
  const { length: evaluations } = manifest.plainModuli;
  return {
    manifest,
    predictedError,
    evaluations,
    bytes: wireBytes(costs, evaluations),
    async start(engine) {
      const owner = await createOwner(manifest, { engine });
      /** By segment, then by plain modulus. */
      const programs = plans.map((plan, s) =>
        owner.evaluators.map((evaluator) =>
          prepareBatchProgram(plan, createIntegerBatchOperations(plan, evaluator, manifest.segments[s]!)),
        ),
      );
      return {
        async run(images, timed, onProgress) {
          let values = images;
          for (const [s, segment] of manifest.segments.entries()) {
            const outputs: ReturnType<typeof owner.encryptBatch>[] = [];
            for (const [i, program] of programs[s]!.entries()) {
              const inputs = await timed("encrypt", () => owner.encryptBatch(segment, values, i));
              outputs.push(
                await timed("evaluate", () => runBatch(program, inputs, { onInputDone: freeCiphertext, onProgress })),
              );
            }
            values = await timed("decrypt", () => owner.decryptBatch(segment, outputs, images.length));
            outputs.flat().forEach(freeCiphertext);
          }
          return values;
        },
        close: owner.destroy,
      };
    },
  };
}

/** Of all segments; the key is one, as long as the longest segment takes it. */
function wireBytes(costs: readonly BatchWireBytes[], evaluations: number): OpenBatch["bytes"] {
  const sum = (size: (cost: BatchWireBytes) => number): number =>
    evaluations * costs.reduce((total, cost) => total + size(cost), 0);
  return {
    keys: Math.max(...costs.map(({ keyBytes }) => keyBytes)),
    input: sum(({ inputBytes }) => inputBytes),
    output: sum(({ outputBytes }) => outputBytes),
  };
}
