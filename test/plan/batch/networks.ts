/** Small networks with what the batch packing has cases for, and the primes that CKKS drops behind their spans. */

import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../../src/layers/index.ts";
import type { BatchNumbers, Layer, Shape } from "../../../src/plan/index.ts";
import { numbers } from "../../helpers/plans.ts";

const next = numbers(7);
const weights = (...shape: number[]): { shape: number[]; data: number[] } => ({
  shape,
  data: Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, () => next() / 3),
});
const bias = (count: number): number[] => Array.from({ length: count }, () => next());

export const conv = (options: object, outputs: number, inputs: number, size: number): Layer =>
  conv2dLayer({
    weight: weights(outputs, inputs, size, size),
    bias: { shape: [outputs], data: bias(outputs) },
    ...options,
  });
export const linear = (outputs: number, inputs: number): Layer =>
  linearLayer({ weight: weights(outputs, inputs), bias: { shape: [outputs], data: bias(outputs) } });
const square: Layer = squareLayer();
export const pool = (options: object): Layer => avgPool2dLayer({ kernelSize: 2, ...options });

export const NETWORKS: [string, Layer[], Shape, Omit<BatchNumbers, "weightBits">][] = [
  [
    "conv, square, pool, conv, square, pool, linear",
    [conv({}, 2, 1, 3), square, pool({}), conv({}, 3, 2, 2), square, pool({}), flattenLayer(), linear(4, 3)],
    [1, 8, 8],
    { drops: [2, 2, 0] },
  ],
  [
    "strides and padding, a square at the end",
    [conv({ stride: 2, padding: 1 }, 3, 2, 3), square],
    [2, 5, 5],
    { drops: [0] },
  ],
  [
    "an overlapping pool",
    [conv({ padding: 1 }, 2, 1, 3), square, pool({ kernelSize: 3, stride: 1 }), square],
    [1, 4, 4],
    { drops: [2, 0, 0] },
  ],
  [
    "a pool first, then linear maps that are not fused",
    [pool({}), flattenLayer(), linear(6, 4), square, linear(2, 6)],
    [1, 4, 4],
    { drops: [0, 2, 0] },
  ],
  ["squares alone", [square, square], [3], { drops: [1, 0] }],
  ["a reshape alone", [flattenLayer()], [2, 2], { drops: [0] }],
];
