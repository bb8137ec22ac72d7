import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BatchNormOptions, batchNorm1dLayer, batchNorm2dLayer } from "../../src/layers/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

/** Statistics and weights of channels, from a seed. */
function optionsOf(seed: number, channels: number, affine: boolean): BatchNormOptions & { eps: number } {
  const runningVar = randomTensor(seed + 1, [channels]);
  const squared = { ...runningVar, data: runningVar.data.map((value) => value * value) };
  const weights = affine
    ? { weight: randomTensor(seed + 2, [channels]), bias: randomTensor(seed + 3, [channels]) }
    : {};
  return { runningMean: randomTensor(seed, [channels]), runningVar: squared, eps: 1e-3, ...weights };
}

describe.each([
  ["BatchNorm2d", batchNorm2dLayer, fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))],
  ["BatchNorm1d", batchNorm1dLayer, fc.oneof(fc.constant([]), fc.tuple(fc.integer({ min: 1, max: 6 })))],
] as const)("%s", (kind, makeNorm, spatial) => {
  test("shifts and divides each channel by its own statistics", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 6 }), spatial, fc.boolean(), (seed, channels, rest, affine) => {
        const options = optionsOf(seed, channels, affine);
        const input = randomTensor(seed + 4, [channels, ...rest]);
        const layer = makeNorm(options);
        const plane = input.data.length / channels;
        const wanted = input.data.map((x, i) => {
          const c = Math.floor(i / plane);
          const normal = (x - options.runningMean.data[c]) / Math.sqrt(options.runningVar.data[c] + options.eps);
          return normal * (options.weight?.data[c] ?? 1) + (options.bias?.data[c] ?? 0);
        });
        expect(relativeError(layer.forward(input).data, wanted)).toBeLessThan(1e-13);
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  const channels = (...values: number[]) => ({ shape: [values.length], data: values });

  test.each([
    [
      "a variance that eps does not make positive",
      { runningVar: channels(1, -1) },
      RangeError,
      /-1 \+ 0.00001 in channel 1/,
    ],
    ["an eps that is no number", { eps: "0" as unknown as number }, TypeError, /eps must be a number, got 0/],
    ["an infinite eps", { eps: Number.POSITIVE_INFINITY }, RangeError, /positive and finite/],
    ["no mean", { runningMean: undefined as unknown as { shape: number[]; data: number[] } }, TypeError, /runningMean/],
    ["NaN among the weights", { weight: channels(1, Number.NaN) }, RangeError, /weight must hold finite numbers/],
    ["weights of another length", { weight: channels(1, 2, 3) }, Error, /weight must hold 2 values.*got 3/],
    ["a bias of another length", { bias: channels(1) }, Error, /bias must hold 2 values.*got 1/],
  ])("refuses %s", (_, wrong, type, message) => {
    const options = { runningMean: channels(0, 0), runningVar: channels(1, 1), ...wrong };
    expect(() => makeNorm(options)).toThrow(type);
    expect(() => makeNorm(options)).toThrow(message);
    expect(() => makeNorm(options)).toThrow(kind);
  });

  test("refuses shapes of other channels and ranks", () => {
    const layer = makeNorm({ runningMean: channels(0, 0), runningVar: channels(1, 1) });
    for (const shape of [[3, 4, 4], [3], [2, 2, 2, 2], []]) {
      expect(() => layer.outputShape(shape)).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
    }
  });
});
