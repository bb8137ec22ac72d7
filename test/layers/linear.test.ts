import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linearLayer } from "../../src/layers/index.ts";
import { tensor } from "../../src/plan/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

const size = fc.integer({ min: 1, max: 6 });
const cases = fc.record({ seed: seeds, inFeatures: size, outFeatures: size, outer: fc.array(size, { maxLength: 2 }) });

describe("Linear", () => {
  test("adds up the weight's columns, each times its feature, along the last axis", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ seed, inFeatures, outFeatures, outer }, hasBias) => {
        const weight = randomTensor(seed + 1, [outFeatures, inFeatures]);
        const bias = hasBias ? randomTensor(seed + 2, [outFeatures]) : null;
        const input = randomTensor(seed, [...outer, inFeatures]);
        const layer = linearLayer({ weight, bias });

        const expected: number[] = [];
        for (let start = 0; start < input.data.length; start += inFeatures) {
          const y = Array.from({ length: outFeatures }, (_, o) => bias?.data[o] ?? 0);
          for (const [i, x] of input.data.subarray(start, start + inFeatures).entries()) {
            for (const o of y.keys()) y[o] += x * weight.data[o * inFeatures + i];
          }
          expected.push(...y);
        }
        const output = layer.forward(input);
        expect(output.shape).toEqual([...outer, outFeatures]);
        expect(relativeError(output.data, Float64Array.from(expected))).toBeLessThan(1e-13);
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("a case by hand", () => {
    const layer = linearLayer({ weight: tensor([2, 3], [1, 2, 3, 4, 5, 6]), bias: tensor([2], [0.5, -0.5]) });
    expect([...layer.forward(tensor([3], [1, 10, 100])).data]).toEqual([321.5, 653.5]);
    expect(layer.options).toEqual({ inFeatures: 3, outFeatures: 2, bias: true });
  });

  test("refuses what does not fit", () => {
    const weight = randomTensor(1, [2, 3]);
    expect(() => linearLayer({ weight: randomTensor(1, [2, 3, 1]) })).toThrow(/outFeatures x inFeatures, got 2x3x1/);
    expect(() => linearLayer({ weight, bias: randomTensor(1, [3]) })).toThrow(/bias must hold 2 values.*got 3/);
    const image = () => linearLayer({ weight }).outputShape([3, 4]);
    expect(image).toThrow(/takes 3 features along the last axis, got the shape 3x4; flatten first/);
    expect(image).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
    expect(() => linearLayer({ weight }).outputShape([])).toThrow(/takes 3 features/);
    expect(() => linearLayer({ weight }).outputShape([2 ** 26, 3])).toThrow(/more than 67108864/);
  });
});
