/** Checks of batch plans and their manifests that come from a file, as `check-plan.ts` has them for other plans. */

import { MAX_WEIGHT } from "../../math/index.ts";
import {
  type Complain,
  requireFields,
  requireIndex,
  requireInts,
  requireList,
  requireRange,
  requireReals,
} from "../check-plan.ts";
import { type Shape, sizeOf } from "../tensor.ts";
import type { BatchSegment } from "./manifest.ts";
import { type BatchPlan, type BatchStage, hashBatchPlan, type SparseRows, stageSize } from "./plan.ts";

/** More axes than any tensor has, and more elements than any plan could hold a ciphertext for. */
const MOST = { axes: 8, elements: 2 ** 24, primes: 64 };

/** A segment of a batch's manifest from data of any form. */
export function requireBatchSegment(value: unknown, levels: number, complain: Complain): BatchSegment {
  const fields = requireFields(value, "a segment", complain);
  const positive = (name: string): number => {
    const number = fields[name];
    if (typeof number === "number" && number > 0 && Number.isFinite(number)) return number;
    throw complain(`${name} is ${String(number)}, and should be above 0`);
  };
  if (typeof fields.hash !== "string") throw complain("a segment has no hash");
  const level = (name: string): number => requireIndex(fields[name], 0, levels, name, complain);
  return {
    hash: fields.hash,
    inputShape: requireShape(fields.inputShape, complain),
    range: fields.range === undefined ? undefined : requireInterval(fields.range, complain),
    inputLevel: level("inputLevel"),
    inputScale: positive("inputScale"),
    outputShape: requireShape(fields.outputShape, complain),
    outputLevel: level("outputLevel"),
    outputScale: positive("outputScale"),
    outputComponents: requireIndex(fields.outputComponents, 2, 4, "outputComponents", complain),
    expectedError: positive("expectedError"),
  };
}

function requireShape(value: unknown, complain: Complain): Shape {
  const shape = requireList(value, "a shape", complain).map((axis) =>
    requireIndex(axis, 1, MOST.elements, "an axis", complain),
  );
  if (shape.length > MOST.axes || sizeOf(shape) > MOST.elements) throw complain("a shape is too large");
  return shape;
}

function requireInterval(value: unknown, complain: Complain): readonly [number, number] {
  const [low, high, ...rest] = requireList(value, "a range", complain);
  if (typeof low === "number" && typeof high === "number" && low <= high && rest.length === 0) return [low, high];
  throw complain("a range is not two numbers");
}

/** A batch plan from data of any form; shapes are the segment's. */
export function requireBatchPlan(
  value: unknown,
  { hash, inputShape, outputShape }: BatchSegment,
  complain: Complain,
): BatchPlan {
  const fields = requireFields(value, "a plan", complain);
  let size = sizeOf(inputShape);
  const stages = requireList(fields.stages, "stages", complain).map((stage): BatchStage => {
    const read = requireStage(stage, size, complain);
    size = stageSize(read, size);
    return read;
  });
  if (size !== sizeOf(outputShape)) throw complain("its stages do not lead to its output");
  const plan = { inputShape, stages, outputShape };
  if (hashBatchPlan(plan) !== hash) throw complain("a plan's hash is not the manifest's");
  return plan;
}

function requireStage(value: unknown, size: number, complain: Complain): BatchStage {
  const fields = requireFields(value, "a stage", complain);
  const layers = requireRange(fields.layers, "the layers of a stage", complain);
  const { op } = fields;
  switch (op) {
    case "affine": {
      const rows = requireRows(fields, size, complain);
      const weight = requireInts(fields.weight, rows.column.length, "weights", complain);
      if (weight.some((each) => Math.abs(each) > MAX_WEIGHT)) throw complain("a weight has more than 16 bits");
      return {
        op,
        layers,
        ...rows,
        weight,
        weightScale: requireScale(fields.weightScale, complain),
        bias: requireReals(fields.bias, rows.rowStart.length - 1, "biases", complain),
      };
    }
    case "sum":
      return { op, layers, ...requireRows(fields, size, complain), weight: requireScale(fields.weight, complain) };
    case "square":
    case "relinearize":
      return { op, layers };
    case "rescale":
      return { op, layers, primes: requireIndex(fields.primes, 1, MOST.primes, "primes of a rescale", complain) };
    default:
      throw complain(`a stage is ${JSON.stringify(op)}, which is no operation`);
  }
}

function requireScale(value: unknown, complain: Complain): number {
  if (typeof value === "number" && Number.isFinite(value) && value !== 0) return value;
  throw complain(`a scale is ${String(value)}`);
}

function requireRows(fields: Readonly<Record<string, unknown>>, size: number, complain: Complain): SparseRows {
  const { rowStart, column } = fields;
  if (!(rowStart instanceof Int32Array) || !(column instanceof Int32Array)) throw complain("a stage has no rows");
  const ascending = rowStart.every((start, row) => start >= (row === 0 ? 0 : rowStart[row - 1]));
  if (rowStart.length < 2 || rowStart[0] !== 0 || !ascending || rowStart[rowStart.length - 1] !== column.length) {
    throw complain("the rows of a stage do not fit its columns");
  }
  if (column.some((at) => at < 0 || at >= size)) throw complain(`a row reads what is none of ${size} elements`);
  return { rowStart, column };
}
