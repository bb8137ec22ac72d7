import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyOwnerLayers,
  eluLayer,
  geluLayer,
  hardswishLayer,
  leakyReluLayer,
  mishLayer,
  ownerLayer,
  ownerLayerOf,
  relu6Layer,
  reluLayer,
  sigmoidLayer,
  siluLayer,
  softplusLayer,
  tanhLayer,
} from "../../src/layers/index.ts";
import type { Layer } from "../../src/plan/index.ts";
import { randomTensor, seeds } from "./support.ts";

/** On both sides of every bend. */
const AT = [-3, -1, -0.25, 0, 0.5, 2, 7];

const at = (layer: Layer, ...x: number[]): number[] => [
  ...layer.forward({ shape: [x.length], data: Float64Array.from(x) }).data,
];

describe("activations", () => {
  const e = Math.exp;
  const logistic = (x: number) => 1 / (1 + e(-x));
  const softplus = (x: number) => Math.log(1 + e(x));
  // Written otherwise than in the layers where that is possible.
  const definitions: [string, Layer, (x: number) => number][] = [
    ["ReLU", reluLayer(), (x) => (x + Math.abs(x)) / 2],
    ["ReLU6", relu6Layer(), (x) => (x < 0 ? 0 : x > 6 ? 6 : x)],
    ["LeakyReLU", leakyReluLayer(), (x) => Math.max(x, x / 100)],
    ["LeakyReLU of slope 2", leakyReluLayer({ negativeSlope: 2 }), (x) => (x < 0 ? x + x : x)],
    ["ELU", eluLayer(), (x) => (x < 0 ? e(x) - 1 : x)],
    ["ELU of alpha 3", eluLayer({ alpha: 3 }), (x) => (x < 0 ? 3 * e(x) - 3 : x)],
    ["SiLU", siluLayer(), (x) => x / (1 + e(-x))],
    ["Sigmoid", sigmoidLayer(), (x) => 0.5 + Math.tanh(x / 2) / 2],
    ["Tanh", tanhLayer(), (x) => 2 * logistic(2 * x) - 1],
    [
      "GELU by tanh",
      geluLayer({ approximate: "tanh" }),
      (x) => x * logistic(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)),
    ],
    ["Softplus", softplusLayer(), softplus],
    ["Softplus of beta 2", softplusLayer({ beta: 2 }), (x) => softplus(2 * x) / 2],
    ["Hardswish", hardswishLayer(), (x) => (x <= -3 ? 0 : x >= 3 ? x : (x * (x + 3)) / 6)],
    ["Mish", mishLayer(), (x) => x * (1 - 2 / ((1 + e(x)) ** 2 + 1))],
  ];

  test.each(definitions)("%s is its definition", (name, layer, definition) => {
    expect(name.startsWith(layer.kind)).toBe(true);
    for (const [i, value] of at(layer, ...AT).entries()) expect(value).toBeCloseTo(definition(AT[i]!), 12);
  });

  test.each(definitions)("%s: any shape, an owner's layer, no algebra", (_, layer) => {
    expect(layer.exactOnly).toBe("element");
    expect(layer.outputShape([2, 3, 4])).toEqual([2, 3, 4]);
    const refusal = expect.objectContaining({
      code: "UNSUPPORTED_LAYER",
      message: expect.stringMatching(/does not run encrypted/),
    });
    expect(() => layer.algebra([3])).toThrow(refusal);
    const again = ownerLayer(JSON.parse(JSON.stringify(ownerLayerOf(layer))));
    expect([again.kind, again.options]).toEqual([layer.kind, layer.options]);
    expect(at(again, ...AT)).toEqual(at(layer, ...AT));
  });

  test.each(definitions)("%s: nothing becomes NaN that was not, up to huge values", (_, layer) => {
    const found = at(layer, -1e300, -800, 800, 1e300, Number.NaN);
    expect(found.map(Number.isNaN)).toEqual([false, false, false, false, true]);
    expect(found[2]).toBeGreaterThan(0);
  });

  test.each([
    [
      () => leakyReluLayer({ negativeSlope: Number.NaN }),
      RangeError,
      /LeakyReLU: negativeSlope must be a finite number/,
    ],
    [() => eluLayer({ alpha: "1" as unknown as number }), TypeError, /ELU: alpha must be a number, got "1"/],
    [() => softplusLayer({ beta: 0 }), RangeError, /Softplus: beta must not be 0/],
    [
      () => geluLayer({ approximate: "erf" as "tanh" }),
      RangeError,
      /GELU: approximate must be "none" or "tanh", got "erf"/,
    ],
    [() => geluLayer({ approximate: 1 as unknown as "tanh" }), TypeError, /GELU: approximate must be "none" or "tanh"/],
  ])("refuses options that PyTorch would not take (%#)", (make, kind, message) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

describe("layers that the key's owner applies", () => {
  test("are applied in order", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const input = randomTensor(seed, [2, 4, 6]);
        const pool = { kind: "MaxPool2d", options: { kernelSize: [2, 2] } };
        const found = applyOwnerLayers([{ kind: "Tanh", options: {} }, pool, { kind: "ReLU", options: {} }], input);
        expect(found.shape).toEqual([2, 2, 3]);
        const most = (c: number, y: number, x: number): number =>
          Math.max(...[0, 1].flatMap((i) => [0, 1].map((j) => input.data[(c * 4 + 2 * y + i) * 6 + 2 * x + j]!)));
        for (const [i, value] of found.data.entries()) {
          const [c, y, x] = [Math.floor(i / 6), Math.floor(i / 3) % 2, i % 3];
          expect(value).toBe(Math.max(0, Math.tanh(most(c, y, x))));
        }
      }),
    );
  });

  test.each([
    [{ kind: "Conv2d", options: {} }, /"Conv2d", which is none of ELU, .*Tanh/],
    [{ kind: "__proto__", options: {} }, /"__proto__", which is none of/],
    [{ kind: "ReLU", options: null }, /none of/],
    [undefined, /undefined, which is none of/],
    [
      { kind: "LeakyReLU", options: { negativeSlope: "steep" } },
      /LeakyReLU: negativeSlope must be a number, got "steep"/,
    ],
    [{ kind: "MaxPool2d", options: { kernelSize: [0, 2] } }, /MaxPool2d: kernelSize must be an integer from 1/],
    [{ kind: "MaxPool2d", options: {} }, /MaxPool2d: kernelSize/],
  ])("are on a fixed list, with options that are checked (%#)", (data, message) => {
    const made = () => ownerLayer(data as ReturnType<typeof ownerLayerOf>);
    expect(made).toThrow(expect.objectContaining({ code: "INVALID_MESSAGE", message: expect.stringMatching(message) }));
  });
});
