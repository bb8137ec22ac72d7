import { describe, expect, test } from "vitest";
import { networkSteps, requireExact, requireSupported, selectLayers, traceShapes } from "../../../src/builder/index.ts";
import type { SourceModel } from "../../../src/builder/source/source-model.ts";
import { loadTorch } from "../../../src/builder/torch/index.ts";
import type { Tensor } from "../../../src/plan/index.ts";
import { batchFixture, fixture, hasFixture, jsonFixture, refusal, relativeError } from "./fixtures.ts";

const TOLERANCE = 1e-12;

function run(model: SourceModel, input: Tensor): Tensor {
  return model.layers.reduce((x, { layer }) => layer.forward(x), input);
}

function worst(model: SourceModel, inputs: readonly Tensor[], wanted: readonly Tensor[]): number {
  return Math.max(...inputs.map((input, i) => relativeError(run(model, input), wanted[i])));
}

describe("trained models", () => {
  const samplesOf = (name: string): Tensor[] => {
    const set = ["fashion", "cifar-like"].find((prefix) => name.startsWith(prefix)) ?? "mnist";
    return batchFixture(`samples/${set}16.input.npy`);
  };

  test.each([
    ["lenet1-square/lenet1-square", "lenet1-square.pt"],
    ["lenet1-square/lenet1-square", "lenet1-square.protocol4.pt"],
    ["lenet1-square/lenet1-square", "lenet1-square.f64.pt"],
    ["lenet1-square/lenet1-square", "lenet1-square.legacy.pt"],
    ["lenet1-square/lenet1-square", "lenet1-square.torch1.13.1.legacy.pt"],
    ["tenseal-net/tenseal-net", "tenseal-net.legacy.pt"],
    ["linear/linear", "linear.legacy.pt"],
    ["tenseal-net/tenseal-net", "tenseal-net.pt"],
    ["mlp/mlp", "mlp.pt"],
    ["linear/linear", "linear.pt"],
    ["lenet1-one-square/lenet1-one-square", "lenet1-one-square.pt"],
    ["cryptonets/cryptonets", "cryptonets.pt"],
    ["lenet5-square/lenet5-square", "lenet5-square.pt"],
    ["fashion-cnn-bn-square/fashion-cnn-bn-square", "fashion-cnn-bn-square.pt"],
    ["cifar-like/cifar-like", "cifar-like.pt"],
    ["lenet5-silu-bn/lenet5-silu-bn", "lenet5-silu-bn.pt"],
    ["lenet5-relu-bn/lenet5-relu-bn", "lenet5-relu-bn.pt"],
  ])("%s from %s gives PyTorch's logits", (name, file) => {
    const model = loadTorch(fixture(`models/${name.split("/")[0]}/${file}`), file);
    const error = worst(model, samplesOf(name), batchFixture(`models/${name}.logits.npy`));
    console.log(`${file}: ${error.toExponential(1)} of the largest logit`);
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each([
    ["lenet1-square", ["Conv2d", "Square", "AvgPool2d", "Conv2d", "Square", "AvgPool2d", "Flatten", "Linear"]],
    ["tenseal-net", ["Conv2d", "Square", "Flatten", "Linear", "Square", "Linear"]],
    [
      "fashion-cnn-bn-square",
      [
        ...["Conv2d", "BatchNorm2d", "Square", "AvgPool2d", "Conv2d", "BatchNorm2d", "Square", "AvgPool2d"],
        ...["Conv2d", "BatchNorm2d", "Square", "AvgPool2d", "Flatten", "Linear"],
      ],
    ],
  ])("every layer of %s gives PyTorch's output", (name, kinds) => {
    const { layers } = loadTorch(fixture(`models/${name}/${name}.pt`));
    expect(layers.map(({ layer }) => layer.kind)).toEqual(kinds);
    expect(layers.map(({ index }) => index)).toEqual(kinds.map((_, i) => i));
    expect(layers.map(({ position }) => position)).toEqual(kinds.map((_, i) => String(i)));
    const activations = samplesOf(name).slice(0, 2);
    let compared = 0;
    for (const { layer, index } of layers) {
      for (const [i, input] of activations.entries()) activations[i] = layer.forward(input);
      const path = `models/${name}/layers/${String(index).padStart(2, "0")}-${layer.kind}.npy`;
      // Of the larger networks not every layer is kept.
      if (!hasFixture(path)) continue;
      const wanted = batchFixture(path);
      for (const [i, output] of activations.entries()) {
        expect(relativeError(output, wanted[i])).toBeLessThan(TOLERANCE);
      }
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(2);
  });
});

describe("variants", () => {
  interface Variant {
    readonly name: string;
    readonly expect: "must" | "may" | "refuse";
    readonly layers: readonly { readonly type: string }[];
  }
  const { variants } = jsonFixture<{ variants: Variant[] }>("variants/variants.json");
  const supported = new Set([
    ...[
      "Conv1d",
      "Conv2d",
      "ConvTranspose2d",
      "Linear",
      "AvgPool2d",
      "AdaptiveAvgPool2d",
      "BatchNorm1d",
      "BatchNorm2d",
      "ZeroPad2d",
    ],
    ...["Flatten", "Unflatten", "Dropout", "Dropout2d", "Identity", "Square"],
  ]);
  const refusedByOption =
    /^(conv-padding-mode-(reflect|replicate|circular)|batchnorm2d-no-running-stats|empty-sequential|modulelist)$/;
  const runs = (variant: Variant): boolean =>
    variant.layers.every(({ type }) => supported.has(type)) && !refusedByOption.test(variant.name);

  test.each(variants.filter(runs))("$name gives PyTorch's output", ({ name, expect: expected }) => {
    expect(expected).not.toBe("refuse");
    const model = loadTorch(fixture(`variants/${name}.pt`));
    const error = worst(model, batchFixture(`variants/${name}.input.npy`), batchFixture(`variants/${name}.output.npy`));
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each(variants.filter((variant) => !runs(variant)))(
    "$name is refused by name",
    ({ name, expect: expected, layers }) => {
      expect(expected).not.toBe("must");
      const error = refusal(() => requireSupported(loadTorch(fixture(`variants/${name}.pt`), `${name}.pt`)));
      expect(["UNSUPPORTED_LAYER", "UNSUPPORTED_MODEL"]).toContain(error.code);
      expect(error.message).toMatch(new RegExp(`^${name}\\.pt: .*[:,] .`));
      const culprit = layers.find(({ type }) => !supported.has(type));
      if (culprit) expect(error.message).toContain(`layer ${layers.indexOf(culprit)} (${culprit.type})`);
    },
  );

  test.each(variants.filter(({ name }) => /^(act-|maxpool)/.test(name)))(
    "$name gives PyTorch's output in the clear",
    ({ name, layers }) => {
      const model = loadTorch(fixture(`variants/${name}.pt`));
      const last = model.layers[model.layers.length - 1].layer;
      expect([last.kind, last.exactOnly]).toEqual([
        layers[layers.length - 1].type,
        name === "maxpool" ? "window" : "element",
      ]);
      const error = worst(
        model,
        batchFixture(`variants/${name}.input.npy`),
        batchFixture(`variants/${name}.output.npy`),
      );
      expect(error).toBeLessThan(TOLERANCE);
    },
  );

  test("55 of the 79 run", () => {
    expect(variants).toHaveLength(79);
    expect(variants.filter(runs)).toHaveLength(55);
  });

  describe("a layer that runs in the clear alone", () => {
    const model = loadTorch(fixture("variants/act-relu.pt"), "relu.pt");
    const { layer, refusal: reason } = model.layers[1];

    test("is refused with its position and both ways out wherever algebra is wanted", () => {
      expect(reason?.message).toMatch(
        /^relu\.pt: layer 1 \(ReLU\) does not run encrypted by itself: .*--activations polynomial --calibrate FILE.*--activations client\)$/,
      );
      const shapes = traceShapes(model, [12]);
      expect(shapes).toEqual([[12], [7], [7]]);
      for (const use of [() => requireSupported(model), () => networkSteps(model, shapes)])
        expect(refusal(use)).toBe(reason);
      expect(refusal(() => layer.algebra([7])).message).toMatch(/ReLU does not run encrypted/);
      expect(() => requireExact(model)).not.toThrow();
    });
  });

  describe("a layer that cannot run at all", () => {
    const model = loadTorch(fixture("variants/softmax.pt"), "soft.pt");
    const [input] = batchFixture("variants/softmax.input.npy");

    test("is kept, and every use of it says why", () => {
      expect(model.layers.map(({ layer }) => layer.kind)).toEqual(["Linear", "Softmax"]);
      const { layer, refusal: reason } = model.layers[1];
      expect(model.layers[0].refusal).toBeUndefined();
      expect(reason?.message).toMatch(/^soft\.pt: layer 1 \(Softmax\) does not run encrypted: .*decrypted output/);
      for (const use of [
        () => layer.outputShape([7]),
        () => layer.algebra([7]),
        () => layer.forward(input),
        () => traceShapes(model, [12]),
      ]) {
        expect(refusal(use)).toBe(reason);
      }
    });

    test("does not matter outside of the layers that are asked for", () => {
      const front = selectLayers(model, [0]);
      expect(traceShapes(front, [12])).toEqual([[12], [7]]);
      expect(refusal(() => traceShapes(selectLayers(model, [0, 1]), [12])).code).toBe("UNSUPPORTED_LAYER");
    });

    test("layers are asked for without a gap, and keep their numbers", () => {
      const nested = loadTorch(fixture("variants/nested-sequential.pt"));
      const inner = selectLayers(nested, [1, 2, 3]);
      expect(inner.layers.map(({ index }) => index)).toEqual([1, 2, 3]);
      expect(selectLayers(inner, [2]).layers[0]).toBe(nested.layers[2]);
      for (const wrong of [[], [0, 2], [1, 0], [1, 1], [4, 5], [-1], [0.5]]) {
        expect(() => selectLayers(nested, wrong)).toThrow(RangeError);
      }
      expect(() => selectLayers(inner, [0])).toThrow("layers must be numbers from 1 to 3");
      expect(() => selectLayers(nested, 3 as unknown as number[])).toThrow(TypeError);
    });
  });

  test("positions are paths, indexes count through", () => {
    const nested = loadTorch(fixture("variants/nested-sequential.pt")).layers;
    expect(nested.map(({ position }) => position)).toEqual(["0.0", "0.1", "1.0.0", "1.1", "2"]);
    const named = loadTorch(fixture("variants/named-sequential.pt")).layers;
    expect(named.map(({ position, index }) => `${index} ${position}`)).toEqual(["0 conv", "1 act", "2 flat", "3 head"]);
  });

  test("a shared layer is one layer in two places", () => {
    const { layers } = loadTorch(fixture("variants/shared-layer.pt"));
    expect(layers[0].layer).toBe(layers[2].layer);
  });

  test("tied weights", () => {
    const model = loadTorch(fixture("tensors/tied.pt"));
    expect(worst(model, batchFixture("tensors/tied.input.npy"), batchFixture("tensors/tied.output.npy"))).toBeLessThan(
      TOLERANCE,
    );
  });
});
