/** Predictions for the machine at hand. */

import { type Compiled, type PlanReport, reportPlan, type SourceModel } from "../builder/index.ts";
import { createEngine, createThreadedEngine, type Engine } from "../math/index.ts";
import type { OwnerOptions } from "../owner/index.ts";
import { calibrateCosts, type MachineCosts, WASM_COSTS } from "../plan/index.ts";
import { formatBytes, formatMilliseconds } from "./format.ts";

/** Which kernels compute, and on how many threads. */
export type EngineChoice = Pick<OwnerOptions, "backend" | "threads">;

/** An engine as `createOwner` would make it. */
export function openEngine({ backend, threads }: EngineChoice): Promise<Engine> {
  return threads === undefined || backend !== undefined
    ? Promise.resolve(createEngine({ backend }))
    : createThreadedEngine({ threads });
}

/** Prices of kernels on an engine, for what a network reads. */
function calibrateFor(model: SourceModel, network: Compiled, engine: Engine): MachineCosts {
  const { heap, parameters } = reportPlan(model, network, WASM_COSTS);
  return calibrateCosts(engine, { ringDegree: parameters.ringDegree, streamedBytes: heap.keys + heap.weights });
}

/** Of evaluation keys, and of the ciphertexts of one evaluation, on the wire; and of the evaluator's heap. */
export interface Bytes {
  readonly keys: number;
  readonly input: number;
  readonly output: number;
  readonly heap: number;
}

/** What one evaluation was expected to take with everything warm, and to be off. */
export interface Prediction {
  readonly milliseconds: number;
  /** Of the largest output, and as bits. */
  readonly relativeError: number;
  readonly bits: number;
  readonly bytes: Bytes;
}

export function predictionOf({ seconds, precision, keys, ciphertexts, heap }: PlanReport): Prediction {
  return {
    milliseconds: 1000 * seconds,
    ...precision,
    bytes: { keys: keys.bytes, input: ciphertexts.bytesUp, output: ciphertexts.bytesDown, heap: heap.total },
  };
}

/** One line, with what the heap came to beside what was expected. */
export function describePrediction({ milliseconds, relativeError, bits, bytes }: Prediction, measured: Bytes): string {
  return (
    `predicted: ${formatMilliseconds(milliseconds)} for an evaluation, an error of at most ${relativeError.toExponential(1)} ` +
    `(${bits.toFixed(1)} bits), ${formatBytes(bytes.input)} up and ${formatBytes(bytes.output)} down, ` +
    `${formatBytes(bytes.heap)} of heap (used: ${formatBytes(measured.heap)})`
  );
}

/** A report on the machine at hand. Takes a fifth of a second. */
export function reportHere(model: SourceModel, network: Compiled, engine: Engine): PlanReport {
  return reportPlan(model, network, calibrateFor(model, network, engine));
}
