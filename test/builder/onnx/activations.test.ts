import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fits, single, size, windowAttributes, windows } from "./specs.ts";
import { expectAgreement, load } from "./support.ts";
import { type AttributeSpec, constant, type ModelSpec, node } from "./writer.ts";

describe("layers that are exact in the clear alone", () => {
  const activations: [string, string, Record<string, AttributeSpec>?, string?][] = [
    ["Relu", "ReLU"],
    ["Sigmoid", "Sigmoid"],
    ["Tanh", "Tanh"],
    ["Softplus", "Softplus"],
    ["Mish", "Mish"],
    ["HardSwish", "Hardswish"],
    ["Elu", "ELU"],
    ["Elu", "ELU", { alpha: { f: 0.5 } }],
    ["LeakyRelu", "LeakyReLU"],
    ["LeakyRelu", "LeakyReLU", { alpha: { f: 0.25 } }],
    ["Gelu", "GELU"],
    ["Gelu", "GELU", { approximate: { s: "tanh" } }],
  ];

  test.each(activations)("%s is %s %j", (op, kind, attributes = {}) => {
    // Times five, so that all parts of the functions are seen.
    const nodes = [node("Mul", ["x", "five"], "m"), node(op, ["m"], "y", attributes)];
    const model: ModelSpec = { opset: 20, input: ["N", 5, 4], constants: { five: constant([], [5]) }, nodes };
    const { layers } = load(model);
    expect(layers[1]!.layer).toMatchObject({ kind, exactOnly: "element" });
    expect(layers[1]!.refusal!.message).toMatch(
      new RegExp(`layer 1 \\(${kind}\\), node 1 \\(${op}\\), .*--activations client`),
    );
    expectAgreement(model);
  });

  test("limits are ReLU or ReLU6 where they are PyTorch's", () => {
    const clip = (...limits: ["" | "zero", "" | "six"]): ModelSpec => {
      const nodes = [node("Mul", ["x", "ten"], "m"), node("Clip", ["m", ...limits], "y")];
      const constants = { ten: constant([], [10]), zero: constant([], [0]), six: constant([], [6]) };
      return { input: ["N", 9], constants, nodes };
    };
    expect(expectAgreement(clip("zero", "six"))).toEqual(["Scale", "ReLU6"]);
    expect(expectAgreement(clip("zero", ""))).toEqual(["Scale", "ReLU"]);
    expect(load(clip("", "six")).layers[1]!.layer.kind).toBe("Hardtanh");
    const early = single("Clip", ["N", 2], {}, { min: { f: 0 }, max: { f: 6 } }, 9);
    expect(load(early).layers.map(({ layer }) => layer.kind)).toEqual(["ReLU6"]);
  });

  test("MaxPool along one and two axes, with padding on both sides alike", () => {
    fc.assert(
      fc.property(windows, size, (given, channels) => {
        const alike = given.kernel.map((taps, i) => Math.min(given.pads[i]!, Math.floor(taps / 2)));
        const window = { ...given, pads: [...alike, ...alike], mode: "NOTSET" };
        fc.pre(fits(window));
        const model = single("MaxPool", [window.batch, channels, ...window.lengths], {}, windowAttributes(window));
        expect(expectAgreement(model, window.seed)).toContain("MaxPool2d");
      }),
    );
    expectAgreement(single("GlobalMaxPool", ["N", 3, 4, 5]));
    expectAgreement(single("GlobalMaxPool", ["N", 3, 5]));
  });
});
