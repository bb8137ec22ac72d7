/**
 * The plan of the batch packing: slot i of every ciphertext belongs to image i, and each tensor element has a ciphertext of its own. No
 * rotations; layers act on lists of ciphertexts. Plain data: it can be printed, hashed, sent, and read by several interpreters (clear, cost,
 * noise, encrypted). It holds the model's weights and no key, and names no scheme.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { LayerRange } from "../plan.ts";
import { formatShape, type Shape } from "../tensor.ts";

/** Rows of columns, compressed: row r has the entries `rowStart[r]` … `rowStart[r + 1] - 1`; its columns are all different. */
export interface SparseRows {
  readonly rowStart: Int32Array;
  readonly column: Int32Array;
}

/** y = W x / weightScale + bias, with integer weights: the scale of the values is multiplied by `weightScale`. */
export interface AffineStage extends SparseRows {
  readonly op: "affine";
  readonly layers: LayerRange;
  /** Integers, one an entry. */
  readonly weight: Int32Array;
  readonly weightScale: number;
  /** One value a row, in units of the values. */
  readonly bias: Float64Array;
}

/**
 * y = weight * (sum of the row's elements), a pool: ciphertexts are only added up, the scale of the values is divided by `weight`. No
 * multiplication, no level.
 */
export interface SumStage extends SparseRows {
  readonly op: "sum";
  readonly layers: LayerRange;
  readonly weight: number;
}

/** A step from one list of ciphertexts to the next. */
export type BatchStage =
  | AffineStage
  | SumStage
  /** Each element times itself: ciphertexts of three components. */
  | { readonly op: "square"; readonly layers: LayerRange }
  /** Back to two components. */
  | { readonly op: "relinearize"; readonly layers: LayerRange }
  /** CKKS: a division by the last `primes` primes in use, with one rounding. */
  | { readonly op: "rescale"; readonly layers: LayerRange; readonly primes: number }
  /** BFV: the same division of ciphertexts, whose values stay. */
  | { readonly op: "switch-modulus"; readonly layers: LayerRange; readonly primes: number };

export interface BatchPlan {
  readonly inputShape: Shape;
  readonly stages: readonly BatchStage[];
  readonly outputShape: Shape;
}

/** Elements after a stage, given those before it. */
export function stageSize(stage: BatchStage, size: number): number {
  return "rowStart" in stage ? stage.rowStart.length - 1 : size;
}

/** SHA-256 of the plan, in hexadecimal: equal for equal shapes, stages and weights. */
export function hashBatchPlan({ inputShape, stages, outputShape }: BatchPlan): string {
  const hash = sha256.create();
  const text = (value: unknown): void => {
    hash.update(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  };
  const numbers = (values: Float64Array | Int32Array): void => {
    text(values.length);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  text(["crcnn batch plan 1", inputShape, outputShape, stages.length]);
  for (const stage of stages) {
    if (!("rowStart" in stage)) {
      text(stage);
      continue;
    }
    text([stage.op, stage.layers, stage.op === "sum" ? stage.weight : stage.weightScale]);
    numbers(stage.rowStart);
    numbers(stage.column);
    if (stage.op === "sum") continue;
    numbers(stage.weight);
    numbers(stage.bias);
  }
  return bytesToHex(hash.digest());
}

/** One line a stage, for people. */
export function formatBatchPlan({ inputShape, stages, outputShape }: BatchPlan): string {
  const lines = stages.map((stage) => {
    const [first, last] = stage.layers;
    const layers = first === last ? `layer ${first}` : `layers ${first} to ${last}`;
    return `${describeStage(stage)} (${layers})`;
  });
  return [`input ${formatShape(inputShape)}`, ...lines, `output ${formatShape(outputShape)}`].join("\n");
}

function describeStage(stage: BatchStage): string {
  switch (stage.op) {
    case "affine": {
      const largest = stage.weight.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
      return `affine to ${stage.bias.length} elements, ${stage.column.length} weights of up to ${largest}, scale ${stage.weightScale.toPrecision(6)}`;
    }
    case "sum":
      return `sum to ${stage.rowStart.length - 1} elements, weight ${stage.weight}`;
    case "rescale":
      return `rescale by ${stage.primes} primes`;
    case "switch-modulus":
      return `drop ${stage.primes} primes`;
    default:
      return stage.op;
  }
}
