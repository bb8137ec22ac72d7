/** What `compile` is called with, and its checks. */

import type { Cancellation } from "../errors/index.ts";
import {
  formatShape,
  MAX_WEIGHT_BITS,
  MIN_WEIGHT_BITS,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
} from "../plan/index.ts";
import type { SecurityLevel } from "../rlwe/index.ts";
import { type InputRange, syntheticInputs } from "./calibration.ts";
import type { SourceModel } from "./source/source-model.ts";

export interface CompileOptions {
  /** Shape of one input without a batch axis, as `[1, 28, 28]`. */
  readonly inputShape: Shape;
  /**
   * "ckks", approximate numbers (the default), or "bfv", exact integers: inputs and weights are rounded to fixed point, all that follows is
   * exact. BFV has one packing, a slot an image.
   */
  readonly scheme?: Scheme | undefined;
  /** Wanted error of an output, relative to the largest one; 1e-3 by default, for scheme "bfv" 2e-2. */
  readonly precision?: number | undefined;
  /** Bits of security; 128 by default. */
  readonly security?: SecurityLevel | undefined;
  /**
   * Smallest and largest value of an input element; by default [0, 1], or what `calibration` holds and a quarter more on each side. The key's
   * owner refuses to encrypt others.
   */
  readonly inputRange?: InputRange | undefined;
  /** Inputs like those to come, to measure value ranges with; made up from `inputRange` by default. */
  readonly calibration?: readonly Tensor[] | undefined;
  /** Layers of the source model (0-based) before which the key's owner encrypts afresh. */
  readonly rencryptPositions?: readonly number[] | undefined;
  /**
   * Who applies layers that are exact in the clear alone, as ReLU and MaxPool2d: "client", the key's owner, who decrypts before each, applies it
   * and encrypts again. By default a model with such layers is refused; `fit` puts polynomials in the place of activations.
   */
  readonly activations?: Activations | undefined;
  /**
   * What to optimise: "latency", the time of one image (the default for scheme "ckks"); "memory", the bytes of keys, weights and values in the evaluator's
   * heap, for one image, too; or "throughput", the images a second (the default for "bfv"): then every tensor element has a ciphertext, and every
   * slot an image.
   */
  readonly objective?: Objective | undefined;
  /**
   * For "throughput": bits of a weight with its sign, from 4 to 16; 8 are fast and round much. As many as the precision takes by
   * default; where they are given, the error of the rounding is accepted.
   */
  readonly weightBits?: number | undefined;
  /**
   * Most ciphertexts that the client sends for one input. Where there are more than the input's layout needs (one for most images), they are
   * rotated copies, which spare the server key switches and the client their keys: bytes against rotations. By default none are sent.
   */
  readonly inputCiphertexts?: number | undefined;
  /** Most bytes of evaluation keys on the wire, for one image; 2^29 (512 MiB) by default. Plans with more are traded for slower ones with fewer keys. */
  readonly maxKeyBytes?: number | undefined;
  readonly signal?: Cancellation | undefined;
}

export type Activations = "client";

export type Objective = "latency" | "memory" | "throughput";
const OBJECTIVES: readonly string[] = ["latency", "memory", "throughput"] satisfies Objective[];
/** As many bytes as a server takes where its operator does not say otherwise. */
const MAX_KEY_BYTES = 2 ** 29;

export type Scheme = "ckks" | "bfv";
/** By scheme: the precision where none is asked for. A bit of precision costs BFV 2^squares bits of plain modulus. */
const PRECISIONS: Readonly<Record<string, number>> = { ckks: 1e-3, bfv: 2e-2 } satisfies Record<Scheme, number>;

/** Options with their defaults. */
export interface ResolvedOptions {
  readonly scheme: Scheme;
  readonly inputShape: Shape;
  readonly precision: number;
  readonly security: SecurityLevel;
  /** What inputs are held to. */
  readonly inputRange: InputRange;
  /** What value ranges are measured on. */
  readonly samples: readonly Tensor[];
  readonly rencryptPositions: readonly number[];
  readonly activations: Activations | undefined;
  readonly objective: Objective;
  readonly weightBits: number | undefined;
  readonly inputCiphertexts: number;
  readonly maxKeyBytes: number;
  readonly signal: Cancellation | undefined;
}

/** How far inputs may lie outside of the calibration inputs on each side, as a part of the width of their range. */
const CALIBRATION_ROOM = 0.25;

/** @throws TypeError or RangeError naming the argument, its value and what it takes. */
export function resolveOptions(model: SourceModel, options: CompileOptions): ResolvedOptions {
  if (!Array.isArray(model?.layers)) throw new TypeError("model must be a model as loadTorch returns it");
  const { inputShape, scheme = "ckks", security = 128, calibration, rencryptPositions = [], signal } = options ?? {};
  if (!Object.hasOwn(PRECISIONS, scheme)) {
    throw new RangeError(`scheme must be "ckks" or "bfv", got ${JSON.stringify(scheme)}`);
  }
  const { precision = PRECISIONS[scheme], activations, weightBits } = options ?? {};
  const { objective = scheme === "bfv" ? "throughput" : "latency" } = options ?? {};
  if (!Array.isArray(inputShape))
    throw new TypeError(`inputShape must be a list of sizes, as [1, 28, 28], got ${inputShape}`);
  if (inputShape.length === 0 || !inputShape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new RangeError(`inputShape must hold positive integers, as [1, 28, 28], got [${inputShape.join(", ")}]`);
  }
  if (!(typeof precision === "number" && precision > 0 && precision < 1)) {
    throw new RangeError(`precision must be a number between 0 and 1, as 0.001, got ${precision}`);
  }
  if (!Array.isArray(rencryptPositions)) {
    throw new TypeError(`rencryptPositions must be a list of layer numbers, as [3], got ${rencryptPositions}`);
  }
  if (activations !== undefined && activations !== "client") {
    throw new RangeError(
      `activations must be "client", or left out, got ${JSON.stringify(activations)}; polynomials are put into the model with fit`,
    );
  }
  checkObjective(scheme, objective, weightBits);
  const { inputCiphertexts = 1 } = options;
  if (!Number.isSafeInteger(inputCiphertexts) || inputCiphertexts < 1) {
    throw new RangeError(`inputCiphertexts must be a positive integer, got ${inputCiphertexts}`);
  }
  const { maxKeyBytes = MAX_KEY_BYTES } = options;
  if (!(typeof maxKeyBytes === "number" && maxKeyBytes > 0)) {
    throw new RangeError(`maxKeyBytes must be a positive number of bytes, got ${maxKeyBytes}`);
  }
  if (options.inputRange !== undefined) checkRange(options.inputRange);
  if (calibration !== undefined) checkCalibration(calibration, inputShape);
  const inputRange = options.inputRange ?? (calibration ? rangeOf(calibration) : ([0, 1] as const));
  const samples = calibration ?? syntheticInputs(inputShape, inputRange);
  return {
    scheme,
    inputShape,
    precision,
    security,
    inputRange,
    samples,
    rencryptPositions,
    activations,
    objective,
    weightBits,
    inputCiphertexts,
    maxKeyBytes,
    signal,
  };
}

function checkObjective(scheme: Scheme, objective: string, weightBits: number | undefined): void {
  if (!OBJECTIVES.includes(objective)) {
    throw new RangeError(`objective must be "latency", "memory" or "throughput", got ${JSON.stringify(objective)}`);
  }
  if (scheme === "bfv" && objective !== "throughput") {
    throw new RangeError(
      `scheme "bfv" runs batches, a slot an image, so objective must be "throughput", got "${objective}"; leave objective out, or use scheme "ckks", ` +
        "which has a packing for one image",
    );
  }
  if (weightBits === undefined) return;
  if (objective !== "throughput") throw new RangeError('weightBits is for objective "throughput"; leave it out');
  if (!(weightBits >= MIN_WEIGHT_BITS && weightBits <= MAX_WEIGHT_BITS)) {
    throw new RangeError(
      `weightBits must be a number from ${MIN_WEIGHT_BITS} to ${MAX_WEIGHT_BITS}, got ${weightBits}`,
    );
  }
}

function checkRange(range: InputRange): void {
  const valid = Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] < range[1];
  if (!valid)
    throw new RangeError(`inputRange must be two finite numbers, the smaller one first, got ${String(range)}`);
}

function checkCalibration(calibration: readonly Tensor[], inputShape: Shape): void {
  if (!Array.isArray(calibration) || calibration.length === 0) {
    throw new TypeError("calibration must be a list of at least one tensor; leave it out where there are no samples");
  }
  for (const [i, sample] of calibration.entries()) {
    if (!Array.isArray(sample?.shape) || !(sample.data instanceof Float64Array)) {
      throw new TypeError(`calibration[${i}] must be a tensor { shape, data }; tensor(shape, data) makes one`);
    }
    const { shape, data } = sample;
    if (!sameShape(shape, inputShape) || data.length !== sizeOf(inputShape)) {
      throw new RangeError(
        `calibration[${i}] must have the shape ${formatShape(inputShape)}, got ${formatShape(shape)} and ${data.length} values`,
      );
    }
    const at = data.findIndex((value: number) => !Number.isFinite(value));
    if (at >= 0) throw new RangeError(`calibration[${i}] must hold finite numbers, element ${at} is ${data[at]}`);
  }
}

function rangeOf(samples: readonly Tensor[]): InputRange {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { data } of samples) {
    for (const value of data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const room = CALIBRATION_ROOM * (high - low);
  return [low - room, high + room];
}
