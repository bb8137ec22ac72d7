/** A network compiled for throughput and its key's owner in one process: for `crcnn run --objective throughput`. */

import { type compile, runModel, type SourceModel } from "../builder/index.ts";
import type { Tensor } from "../plan/index.ts";
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
import { type BatchScheme, type BatchStep, openBatch } from "./open-batch.ts";
import { type Progress, paint } from "./progress.ts";

export interface BatchRunOptions extends EngineChoice {
  readonly scheme: BatchScheme;
  readonly compile: typeof compile;
  readonly weightBits?: number | undefined;
  /** One an image. */
  readonly labels?: Int32Array | undefined;
}

/** What `--json` prints, in this order. */
export interface BatchResult {
  readonly scheme: BatchScheme;
  readonly images: number;
  /** Images that one batch holds. */
  readonly capacity: number;
  /** Evaluations of a batch: under BFV one for each plain modulus. */
  readonly evaluations: number;
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
  /** Of a full batch, in its evaluations alone. */
  readonly imagesPerSecond: number;
  /** Over all batches. */
  readonly milliseconds: {
    readonly keys: number;
    readonly encrypt: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
  /** Of a batch and its keys, and of the evaluator's heap. */
  readonly bytes: Bytes;
  /** What was expected of one full batch on this machine, and of any image; under CKKS. */
  readonly predicted?: Prediction & { readonly imagesPerSecond: number };
}

/** Compiles a model for images, makes keys, and runs all images, a batch at a time. */
export async function runBatches(
  model: SourceModel,
  { images, shape, inputRange }: ImageSet,
  progress: Progress,
  { scheme, compile: compileNetwork, weightBits, labels, ...choice }: BatchRunOptions,
): Promise<BatchResult> {
  const compiling = progress.step("Choosing scales and parameters");
  await paint();
  const network = openBatch(model, { shape, inputRange }, { scheme, compile: compileNetwork, weightBits });
  const { manifest, predictedError, evaluations } = network;
  compiling.done(formatParameters(manifest));

  const engine = await openEngine(choice);
  const report = network.compiled && reportHere(model, network.compiled, engine);
  const bytes = { ...network.bytes, heap: 0 };
  const onProgress = (): void => {
    const { used, permanent } = engine.heap.usage();
    bytes.heap = Math.max(bytes.heap, used + permanent);
  };
  const milliseconds = { keys: 0, encrypt: 0, evaluate: 0, decrypt: 0 };
  const making = performance.now();
  const runner = await network.start(engine);
  milliseconds.keys = performance.now() - making;

  const { capacity } = manifest;
  const steps = (2 * evaluations + 1) * manifest.segments.length;
  const results: Tensor[] = [];
  for (let first = 0; first < images.length; first += capacity) {
    const batch = images.slice(first, first + capacity).map(({ tensor }) => tensor);
    const running = progress.step(`Images ${first + 1} to ${first + batch.length} of ${images.length}`);
    let done = 0;
    const before = milliseconds.evaluate;
    const timed = async <T>(step: BatchStep, work: () => T): Promise<T> => {
      await paint();
      const from = performance.now();
      const result = work();
      milliseconds[step] += performance.now() - from;
      onProgress();
      running.update(++done, steps);
      return result;
    };
    results.push(...(await runner.run(batch, timed, onProgress)));
    running.done(`evaluated in ${formatMilliseconds(milliseconds.evaluate - before)}`);
  }
  runner.close();
  await engine.close();
  const batches = Math.ceil(images.length / capacity);
  return {
    scheme,
    ...compareAll(
      results,
      images.map(({ tensor }) => runModel(model, tensor)),
      labels,
    ),
    images: images.length,
    capacity,
    evaluations,
    predictedError,
    imagesPerSecond: (1000 * capacity * batches) / milliseconds.evaluate,
    milliseconds,
    bytes,
    ...(report ? { predicted: { ...predictionOf(report), imagesPerSecond: report.images / report.seconds } } : {}),
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
  const { milliseconds, bytes, predicted } = result;
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;
  const lines = [
    `${Math.round(result.imagesPerSecond)} images a second in the evaluation of full batches of ${capacity}${
      result.evaluations > 1 ? `, ${result.evaluations} evaluations each` : ""
    }`,
    `${agreeing} of ${images} images with the answer of the plain model`,
    `largest error ${maxError.toExponential(1)}, at most ${relativeError.toExponential(1)} of an image's largest logit (predicted ` +
      `${predictedError.toExponential(1)})`,
    `encrypted in ${formatMilliseconds(milliseconds.encrypt)}, evaluated in ${formatMilliseconds(milliseconds.evaluate)}, decrypted in ` +
      formatMilliseconds(milliseconds.decrypt),
    `a batch is ${formatBytes(bytes.input)} to the server and ${formatBytes(bytes.output)} back, with ${formatBytes(bytes.keys)} of keys`,
    ...(predicted ? [describePrediction(predicted, bytes)] : []),
  ];
  if (accuracy !== undefined && plainAccuracy !== undefined) {
    lines.splice(2, 0, `accuracy ${percent(accuracy)}, of the plain model ${percent(plainAccuracy)}`);
  }
  return `${lines.join("\n")}\n`;
}
