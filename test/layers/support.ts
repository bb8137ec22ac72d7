import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect } from "vitest";
import { applyAffine, type Layer, type Shape, sizeOf, type Tensor, tensor } from "../../src/plan/index.ts";

/** A layer of a variant as variants.json describes it, under PyTorch's names. */
export interface VariantLayer {
  type: string;
  [option: string]: unknown;
}

export interface Variant {
  name: string;
  expect: "must" | "may" | "refuse";
  layers: VariantLayer[];
  input_shape: number[] | null;
  output_shape: number[] | null;
}

export const variants: Variant[] = JSON.parse(
  readFileSync(new URL("../fixtures/variants/variants.json", import.meta.url), "utf8"),
).variants;

/** Doubles of ordinary size, from a seed: cheaper than an arbitrary for each value, and shrinking them would explain nothing. */
export function randomValues(seed: number, length: number): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length }, () => {
    // Numerical Recipes' linear congruential generator; the high bits are random enough for test data.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function randomTensor(seed: number, shape: Shape): Tensor {
  return tensor(shape, randomValues(seed, sizeOf(shape)));
}

export const seeds: fc.Arbitrary<number> = fc.nat(2 ** 31);

/** Largest difference, relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  for (const [index, value] of expected.entries()) {
    // Written so that a NaN makes the result NaN and not small.
    difference = Math.abs(actual[index] - value) <= difference ? difference : Math.abs(actual[index] - value);
    largest = Math.max(largest, Math.abs(value));
  }
  return largest === 0 ? difference : difference / largest;
}

/** Holds the two descriptions of an affine layer against each other. */
export function expectAlgebraIsForward(layer: Layer, input: Tensor): void {
  const output = layer.forward(input);
  expect(output.shape).toEqual(layer.outputShape(input.shape));
  const algebra = layer.algebra(input.shape);
  if (algebra.kind !== "affine") throw new Error(`${layer.kind} must be affine`);
  expect([algebra.map.inputShape, algebra.map.outputShape]).toEqual([input.shape, output.shape]);
  expect(relativeError(applyAffine(algebra.map, input.data), output.data)).toBeLessThan(1e-13);
}
