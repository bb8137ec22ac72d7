/** Steps of layers that treat every element alike: squares, and sums of values with weights. */

import { affineMap, type LayerStep, type Shape, type StepAlgebra, sizeOf } from "../plan/index.ts";

/** Values within the layer: 0 is its input, k the result of the k-th step, counted from 1. */
export type Value = number;

/** Writes steps on elements of one shape down. */
export interface StepBuilder {
  readonly steps: LayerStep[];
  /** (value + shift)^2, where the shift may be 0. */
  square(value: Value, shift: number): Value;
  /** The sum of the values, each times its weight, and a constant. */
  combine(terms: readonly (readonly [value: Value, weight: number])[], constant: number): Value;
}

export function createStepBuilder(shape: Shape): StepBuilder {
  const size = sizeOf(shape);
  const steps: LayerStep[] = [];
  const push = (algebra: StepAlgebra, inputs: readonly Value[]): Value => steps.push({ algebra, inputs });
  const builder: StepBuilder = {
    steps,
    square(value, shift) {
      const shifted = shift === 0 ? value : builder.combine([[value, 1]], shift);
      return push({ kind: "square" }, [shifted]);
    },
    combine(terms, constant) {
      const used = terms.filter(([, weight]) => weight !== 0);
      const inputShape = used.length === 1 ? shape : [used.length * size];
      const map = affineMap(
        inputShape,
        shape,
        (row, add) => {
          for (const [i, [, weight]] of used.entries()) add(i * size + row, weight);
        },
        new Float64Array(size).fill(constant),
      );
      return push(
        { kind: "affine", map },
        used.map(([value]) => value),
      );
    },
  };
  return builder;
}

/** c_3 y^3 + c_2 y^2 + c_1 y + c_0, from four squares that are two deep. */
export function cubic(
  builder: StepBuilder,
  y: Value,
  [c0, c1, c2, c3]: readonly [number, number, number, number],
): Value {
  // (y^2 + 2 h y + k)^2 - (y^2 - 2 h y + l)^2 = 8 h y^3 + 2 (k - l) y^2 + 4 h (k + l) y + k^2 - l^2. An h of the size of y keeps the
  // two from being so alike that errors outweigh their difference; where the powers 1 and 3 balance, y is about that large.
  const h = Math.max(1, Math.sqrt(Math.abs(c1 / c3)));
  const [difference, sum] = [(4 * h * c2) / c3, (2 * c1) / c3];
  const [k, l] = [(sum + difference) / 2, (sum - difference) / 2];
  const upper = builder.square(builder.square(y, h), k - h ** 2);
  const lower = builder.square(builder.square(y, -h), l - h ** 2);
  const weight = c3 / (8 * h);
  return builder.combine(
    [
      [upper, weight],
      [lower, -weight],
    ],
    c0 - weight * (k ** 2 - l ** 2),
  );
}
