/** The allow-list: operators of the standard that have a meaning here, by their names. */

import type { Operation } from "../operation.ts";
import type { Value } from "../values.ts";
import { ACTIVATIONS } from "./activations.ts";
import { conv, convTranspose } from "./convolution.ts";
import { add, div, mul, neg, pow, sub, sumOf } from "./elementwise.ts";
import { gemm, matMul } from "./linear.ts";
import { batchNormalization } from "./normalization.ts";
import { pad, slice, split } from "./padding.ts";
import { averagePool, globalAveragePool, reduceMean } from "./pooling.ts";
import { resize, upsample } from "./resize.ts";
import { concat, depthToSpace, flatten, reshape, spaceToDepth, squeeze, transpose, unsqueeze } from "./shapes.ts";
import { cast, shapeOf, unchanged } from "./unchanged.ts";

/** Reads a node of which at least one input depends on the image; the first outputs, in order. */
export type OperatorReader = (operation: Operation) => Value | readonly Value[];

/** A Map, so that no name finds what every object inherits. */
export const OPERATORS: ReadonlyMap<string, OperatorReader> = new Map<string, OperatorReader>([
  ["Add", add],
  ["AveragePool", averagePool],
  ["BatchNormalization", batchNormalization],
  ["Cast", cast],
  ["Concat", concat],
  ["Conv", conv],
  ["ConvTranspose", convTranspose],
  ["DepthToSpace", depthToSpace],
  ["Div", div],
  ["Dropout", unchanged],
  ["Flatten", flatten],
  ["Gemm", gemm],
  ["GlobalAveragePool", globalAveragePool],
  ["Identity", unchanged],
  ["MatMul", matMul],
  ["Mul", mul],
  ["Neg", neg],
  ["Pad", pad],
  ["Pow", pow],
  ["ReduceMean", reduceMean],
  ["Reshape", reshape],
  ["Resize", resize],
  ["Shape", shapeOf],
  ["Slice", slice],
  ["SpaceToDepth", spaceToDepth],
  ["Split", split],
  ["Squeeze", squeeze],
  ["Sub", sub],
  ["Sum", sumOf],
  ["Transpose", transpose],
  ["Unsqueeze", unsqueeze],
  ["Upsample", upsample],
  ...ACTIVATIONS,
]);
