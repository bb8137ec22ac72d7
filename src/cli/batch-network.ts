/** A network compiled for throughput and its key's owner in one process: for `crcnn run --objective throughput`. */

import { compile, runModel } from "../builder/index.ts";
import { createOwner } from "../owner/index.ts";
import { createCkksBatchOperations, prepareBatchProgram, runBatch, type Tensor } from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import type { PreparedModel } from "./activations.ts";
import { argmax, compareLogits, formatBytes, formatMilliseconds, formatParameters } from "./format.ts";
import type { ImageSet } from "./images.ts";
import type { EngineChoice } from "./local-network.ts";
import { type Progress, paint } from "./progress.ts";

export interface BatchRunOptions extends EngineChoice {
  readonly weightBits?: number | undefined;
  /** One an image. */
  readonly labels?: Int32Array | undefined;
}

/** What `--json` prints, in this order. */
export interface BatchResult {
  readonly images: number;
  /** Images that one batch holds. */
  readonly capacity: number;
  readonly argmax: readonly number[];
  /** Images with the same answer as in the clear. */
  readonly agreeing: number;
  /** Part of the images whose answer is their label; only with labels. */
  readonly accuracy?: number;
  readonly plainAccuracy?: number;
  /** Largest error of a logit, and the largest relative to its image's largest logit. */
  readonly maxError: number;
  readonly relativeError: number;
  readonly predictedError: number;
  /** Of a full batch, in the evaluation alone. */
  readonly imagesPerSecond: number;
  /** Over all batches. */
  readonly milliseconds: {
    readonly keys: number;
    readonly encrypt: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
  /** Of a batch and its keys on the wire. */
  readonly bytes: { readonly keys: number; readonly input: number; readonly output: number };
}

/** Compiles a model for images, makes keys, and runs all images, a batch at a time. */
export async function runBatches(
  { model, activations, fitted }: PreparedModel,
  { images, shape, inputRange }: ImageSet,
  progress: Progress,
  { weightBits, labels, ...engine }: BatchRunOptions,
): Promise<BatchResult> {
  const compiling = progress.step("Choosing scales and parameters");
  await paint();
  const { manifest, plans, costs, predictedError } = compile(model, {
    inputShape: shape,
    inputRange,
    activations,
    calibration: fitted?.samples,
    objective: "throughput",
    weightBits,
  });
  compiling.done(formatParameters(manifest));

  const milliseconds = { keys: 0, encrypt: 0, evaluate: 0, decrypt: 0 };
  const timed = <T>(step: keyof typeof milliseconds, from: number, result: T): T => {
    milliseconds[step] += performance.now() - from;
    return result;
  };
  const owner = timed("keys", performance.now(), await createOwner(manifest, engine));
  const programs = plans.map((plan, i) =>
    prepareBatchProgram(plan, createCkksBatchOperations(plan, owner.evaluator, manifest.segments[i]!)),
  );

  const { capacity } = manifest;
  const results: Tensor[] = [];
  for (let first = 0; first < images.length; first += capacity) {
    let batch = images.slice(first, first + capacity).map(({ tensor }) => tensor);
    const title = `Images ${first + 1} to ${first + batch.length} of ${images.length}`;
    const running = progress.step(title);
    await paint();
    const started = performance.now();
    for (const [i, program] of programs.entries()) {
      const segment = manifest.segments[i]!;
      const encrypting = performance.now();
      const inputs = timed("encrypt", encrypting, owner.encryptBatch(segment, batch));
      running.update(3 * i + 1, 3 * programs.length);
      await paint();
      const evaluating = performance.now();
      const outputs = timed("evaluate", evaluating, runBatch(program, inputs, { onInputDone: freeCiphertext }));
      const decrypting = performance.now();
      batch = timed("decrypt", decrypting, owner.decryptBatch(segment, outputs, batch.length));
      outputs.forEach(freeCiphertext);
    }
    results.push(...batch);
    running.done(`done in ${formatMilliseconds(performance.now() - started)}`);
  }
  owner.destroy();
  const batches = Math.ceil(images.length / capacity);
  return {
    ...compareAll(
      results,
      images.map(({ tensor }) => runModel(model, tensor)),
      labels,
    ),
    images: images.length,
    capacity,
    predictedError,
    imagesPerSecond: (1000 * capacity * batches) / milliseconds.evaluate,
    milliseconds,
    bytes: {
      // Segments share their keys.
      keys: Math.max(...costs.map(({ keyBytes }) => keyBytes)),
      input: costs.reduce((sum, { inputBytes }) => sum + inputBytes, 0),
      output: costs.reduce((sum, { outputBytes }) => sum + outputBytes, 0),
    },
  };
}

type Comparison = Pick<
  BatchResult,
  "argmax" | "agreeing" | "accuracy" | "plainAccuracy" | "maxError" | "relativeError"
>;

function compareAll(results: readonly Tensor[], plain: readonly Tensor[], labels: Int32Array | undefined): Comparison {
  const [found, expected] = [results, plain].map((tensors) => tensors.map(({ data }) => argmax(data))) as [
    number[],
    number[],
  ];
  const errors = results.map(({ data }, i) => compareLogits(data, plain[i]!.data));
  const partEqual = (answers: readonly number[], wanted: ArrayLike<number>): number =>
    answers.filter((answer, i) => answer === wanted[i]).length / answers.length;
  return {
    argmax: found,
    agreeing: found.filter((answer, i) => answer === expected[i]).length,
    ...(labels ? { accuracy: partEqual(found, labels), plainAccuracy: partEqual(expected, labels) } : {}),
    maxError: errors.reduce((most, { absolute }) => Math.max(most, absolute), 0),
    relativeError: errors.reduce((most, { relative }) => Math.max(most, relative), 0),
  };
}

/** The figures for people. */
export function describeBatch(result: BatchResult): string {
  const { images, capacity, agreeing, accuracy, plainAccuracy, maxError, relativeError, predictedError } = result;
  const { milliseconds, bytes } = result;
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;
  const lines = [
    `${Math.round(result.imagesPerSecond)} images a second in the evaluation of full batches of ${capacity}`,
    `${agreeing} of ${images} images with the answer of the plain model`,
    `largest error ${maxError.toExponential(1)}, at most ${relativeError.toExponential(1)} of an image's largest logit (predicted ` +
      `${predictedError.toExponential(1)})`,
    `encrypted in ${formatMilliseconds(milliseconds.encrypt)}, evaluated in ${formatMilliseconds(milliseconds.evaluate)}, decrypted in ` +
      formatMilliseconds(milliseconds.decrypt),
    `a batch is ${formatBytes(bytes.input)} to the server and ${formatBytes(bytes.output)} back, with ${formatBytes(bytes.keys)} of keys`,
  ];
  if (accuracy !== undefined && plainAccuracy !== undefined) {
    lines.splice(2, 0, `accuracy ${percent(accuracy)}, of the plain model ${percent(plainAccuracy)}`);
  }
  return `${lines.join("\n")}\n`;
}
