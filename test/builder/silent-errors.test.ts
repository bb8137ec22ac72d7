/**
 * What other libraries were seen to get wrong without a word: each of these is right here, or an error that says what is wrong.
 */

import { describe, expect, test } from "vitest";
import { compile, runModel } from "../../src/builder/index.ts";
import type { CrcnnError } from "../../src/errors/index.ts";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import { type Layer, type Tensor, tensor } from "../../src/plan/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { runCompiled } from "../helpers/encrypted.ts";
import { relativeError } from "../helpers/trained.ts";

async function encrypted(
  layers: readonly Layer[],
  input: Tensor,
  inputRange: readonly [number, number],
): Promise<Tensor> {
  const network = compile(chainOf(layers), { inputShape: input.shape, inputRange });
  const { outputs, owner } = await runCompiled(network, [input]);
  owner.destroy();
  return outputs[0]!;
}

describe("silent errors of others", () => {
  test("the order in which a tensor is flattened: channels, then rows, then columns", async () => {
    // Two channels of 2x3 pixels, each element another value, and weights that tell every one of them from the others.
    const weight = { shape: [2, 1, 1, 1], data: Float64Array.of(1, -2) };
    const pick = Float64Array.from({ length: 12 * 12 }, (_, i) => (i % 13 === 0 ? 1 + i / 13 : 0));
    const layers = [conv2dLayer({ weight }), flattenLayer(), linearLayer({ weight: { shape: [12, 12], data: pick } })];
    const input = tensor([1, 2, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    const output = await encrypted(layers, input, [0, 1]);
    const expected = [1, -2].flatMap((w, c) => [...input.data].map((value, i) => value * w * (1 + c * 6 + i)));
    expect(relativeError(output.data, Float64Array.from(expected))).toBeLessThan(1e-3);
  });

  test("a value of 1 is 1 after six products", async () => {
    const input = tensor([4], [1, -1, 1, 0]);
    const { data } = await encrypted(new Array(6).fill(squareLayer()), input, [-1, 1]);
    for (const [i, value] of [1, 1, 1, 0].entries()) expect(Math.abs(data[i]! - value)).toBeLessThan(1e-3);
  });

  test("a result of 192 is not read as something smaller", async () => {
    const layers = [linearLayer({ weight: { shape: [1, 4], data: Float64Array.of(16, 16, 16, 16) } }), squareLayer()];
    const input = tensor([4], [3, 3, 3, 3]);
    // Made for inputs up to 3, it is right; made for inputs up to 0.1, such an input is refused.
    expect((await encrypted(layers, input, [0, 3])).data[0]).toBeCloseTo(192 ** 2, -1);
    const code = await encrypted(layers, input, [0, 0.1]).then(
      () => "returned",
      (error: CrcnnError) => error.code,
    );
    expect(code).toBe("PRECISION_LOST");
  });

  test("a kernel that is larger than the image is an error that names both", () => {
    const weight = { shape: [1, 1, 5, 5], data: new Float64Array(25).fill(1) };
    for (const layer of [conv2dLayer({ weight }), avgPool2dLayer({ kernelSize: 5 })]) {
      const model = chainOf([layer]);
      const mismatch = expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/kernel .*5.*4/),
      });
      expect(() => compile(model, { inputShape: [1, 4, 4] })).toThrow(mismatch);
      expect(() => runModel(model, tensor([1, 4, 4], new Float64Array(16)))).toThrow(mismatch);
    }
  });
});
