/** A network compiled for throughput and its key's owner in one process: for `crcnn run --objective throughput`. */

import { type compile, runModel, type SourceModel } from "../builder/index.ts";
import { type CkksCiphertext, serializeCiphertexts } from "../ckks/index.ts";
import { createOwner } from "../owner/index.ts";
import { createCkksBatchOperations, prepareBatchProgram, runBatch, type Tensor } from "../plan/index.ts";
import { freeCiphertext, serializeEvaluationKeys } from "../rlwe/index.ts";
import { argmax, compareLogits, formatBytes, formatMilliseconds, formatParameters } from "./format.ts";
import type { ImageSet } from "./images.ts";
import {
  type Bytes,
  describePrediction,
  type EngineChoice,
  openEngine,
  type Prediction,
  predictionOf,
  reportHere,
} from "./machine.ts";
import { type Progress, paint } from "./progress.ts";

export interface BatchRunOptions extends EngineChoice {
  readonly compile: typeof compile;
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
  /** Of a full batch, in the evaluation alone. */
  readonly imagesPerSecond: number;
  /** Over all batches. */
  readonly milliseconds: {
    readonly keys: number;
    readonly encrypt: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
  /** Of a batch and its keys. */
  readonly bytes: Bytes;
  /** What was expected: of one full batch on this machine, and of any image. */
  readonly predicted: Prediction & { readonly imagesPerSecond: number };
}

/** Compiles a model for images, makes keys, and runs all images, a batch at a time. */
export async function runBatches(
  model: SourceModel,
  { images, shape, inputRange }: ImageSet,
  progress: Progress,
  { compile: compileNetwork, weightBits, labels, ...choice }: BatchRunOptions,
): Promise<BatchResult> {
  const compiling = progress.step("Choosing scales and parameters");
  await paint();
  const network = compileNetwork(model, { inputShape: shape, inputRange, objective: "throughput", weightBits });
  const { manifest, plans } = network;
  const [segment, plan] = [manifest.segments[0]!, plans[0]!];
  compiling.done(formatParameters(manifest));

  const engine = await openEngine(choice);
  const report = reportHere(model, network, engine);
  const milliseconds = { keys: 0, encrypt: 0, evaluate: 0, decrypt: 0 };
  const timed = <T>(step: keyof typeof milliseconds, from: number, result: T): T => {
    milliseconds[step] += performance.now() - from;
    return result;
  };
  const owner = timed("keys", performance.now(), await createOwner(manifest, { engine }));
  const operations = createCkksBatchOperations(plan, owner.evaluator, segment);
  const program = prepareBatchProgram(plan, operations);

  const { capacity } = manifest;
  const onProgress = (): void => {
    const { used, permanent } = engine.heap.usage();
    bytes.heap = Math.max(bytes.heap, used + permanent);
  };
  const results: Tensor[] = [];
  const keyBytes = serializeEvaluationKeys(owner.context, owner.evaluationKeys).length;
  const bytes = { keys: keyBytes, input: 0, output: 0, heap: 0 };
  /** All ciphertexts of a list are alike. */
  const bytesOf = (list: readonly CkksCiphertext[]): number =>
    list.length * serializeCiphertexts(owner.context, list.slice(0, 1)).length;
  for (let first = 0; first < images.length; first += capacity) {
    const batch = images.slice(first, first + capacity).map(({ tensor }) => tensor);
    const title = `Images ${first + 1} to ${first + batch.length} of ${images.length}`;
    const running = progress.step(title);
    await paint();
    const encrypting = performance.now();
    const inputs = timed("encrypt", encrypting, owner.encryptBatch(segment, batch));
    bytes.input = bytesOf(inputs);
    onProgress();
    running.update(1, 3);
    await paint();
    const evaluating = performance.now();
    const outputs = timed(
      "evaluate",
      evaluating,
      runBatch(program, inputs, { onInputDone: freeCiphertext, onProgress }),
    );
    bytes.output = bytesOf(outputs);
    const decrypting = performance.now();
    results.push(...timed("decrypt", decrypting, owner.decryptBatch(segment, outputs, batch.length)));
    outputs.forEach(freeCiphertext);
    running.done(`evaluated in ${formatMilliseconds(performance.now() - evaluating)}`);
  }
  owner.destroy();
  await engine.close();
  const batches = Math.ceil(images.length / capacity);
  return {
    ...compareAll(
      results,
      images.map(({ tensor }) => runModel(model, tensor)),
      labels,
    ),
    images: images.length,
    capacity,
    imagesPerSecond: (1000 * capacity * batches) / milliseconds.evaluate,
    milliseconds,
    bytes,
    predicted: { ...predictionOf(report), imagesPerSecond: report.images / report.seconds },
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
  const { images, capacity, agreeing, accuracy, plainAccuracy, maxError, relativeError } = result;
  const { milliseconds, bytes, predicted } = result;
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;
  const lines = [
    `${Math.round(result.imagesPerSecond)} images a second in the evaluation of full batches of ${capacity}`,
    `${agreeing} of ${images} images with the answer of the plain model`,
    `largest error ${maxError.toExponential(1)}, at most ${relativeError.toExponential(1)} of an image's largest logit`,
    `encrypted in ${formatMilliseconds(milliseconds.encrypt)}, evaluated in ${formatMilliseconds(milliseconds.evaluate)}, decrypted in ` +
      formatMilliseconds(milliseconds.decrypt),
    `a batch is ${formatBytes(bytes.input)} to the server and ${formatBytes(bytes.output)} back, with ${formatBytes(bytes.keys)} of keys`,
    describePrediction(predicted, bytes),
  ];
  if (accuracy !== undefined && plainAccuracy !== undefined) {
    lines.splice(2, 0, `accuracy ${percent(accuracy)}, of the plain model ${percent(plainAccuracy)}`);
  }
  return `${lines.join("\n")}\n`;
}
