import { describe, expect, test } from "vitest";
import {
  isOnnx,
  loadOnnx,
  loadTorch,
  requireSupported,
  runModel,
  type SourceModel,
  selectLayers,
} from "../../../src/builder/index.ts";
import type { Tensor } from "../../../src/plan/index.ts";
import { batchFixture, fixture, hasFixture, jsonFixture, refusal, relativeError } from "../torch/fixtures.ts";

const TOLERANCE = 1e-12;
/** Where the exporter has folded batch norm into weights that it rounded to single precision. */
const ROUNDED = 2e-6;

function worst(model: SourceModel, inputs: readonly Tensor[], wanted: readonly Tensor[]): number {
  return Math.max(...inputs.map((input, i) => relativeError(runModel(model, input), wanted[i])));
}

const kindsOf = ({ layers }: SourceModel): string[] => layers.map(({ layer }) => layer.kind);
const LENET1 = ["Conv2d", "Square", "AvgPool2d", "Conv2d", "Square", "AvgPool2d", "Flatten", "Linear"];

describe("trained models", () => {
  const samplesOf = (name: string): Tensor[] => {
    const set = ["fashion", "cifar-like"].find((prefix) => name.startsWith(prefix)) ?? "mnist";
    return batchFixture(`samples/${set}16.input.npy`);
  };

  test.each([
    ["lenet1-square", "op13", TOLERANCE],
    ["lenet1-square", "op13.static", TOLERANCE],
    ["lenet1-square", "op17", TOLERANCE],
    ["lenet1-square", "op18.dynamo", TOLERANCE],
    ["lenet1-square", "op20.dynamo.static", TOLERANCE],
    ["lenet1-square", "torch1.13.1.op9", TOLERANCE],
    ["lenet1-square", "torch1.13.1.op11", TOLERANCE],
    ["tenseal-net", "op13", TOLERANCE],
    ["linear", "torch1.13.1.op9", TOLERANCE],
    ["fashion-cnn-bn-square", "op13.bn", 1e-9],
    ["fashion-cnn-bn-square", "op13", ROUNDED],
    ["fashion-cnn-bn-square", "op18.dynamo", ROUNDED],
    ["fashion-cnn-bn-square", "torch1.13.1.op9", ROUNDED],
    ["fashion-cnn-bn-square", "torch1.13.1.op11", ROUNDED],
    ["cifar-like", "op13.bn", 1e-9],
    ["resblock", "op13.bn", 1e-9],
    ["resblock", "op13", ROUNDED],
    ["resblock", "op18.dynamo", ROUNDED],
  ])("%s from %s gives PyTorch's logits", (name, form, tolerance) => {
    const file = `${name}.${form}.onnx`;
    const bytes = fixture(hasFixture(`old-torch/${file}`) ? `old-torch/${file}` : `models/${name}/${file}`);
    expect(isOnnx(bytes)).toBe(true);
    const error = worst(loadOnnx(bytes, file), samplesOf(name), batchFixture(`models/${name}/${name}.logits.npy`));
    console.log(`${file}: ${error.toExponential(1)} of the largest logit`);
    expect(error).toBeLessThan(tolerance);
  });

  test.each([
    "op13",
    "op13.static",
    "op17",
    "op18.dynamo",
    "op20.dynamo.static",
    "torch1.13.1.op9",
    "torch1.13.1.op11",
  ])("lenet1-square from %s has the layers of its torch file, to the last bit", (form) => {
    const model = loadOnnx(fixture(`models/lenet1-square/lenet1-square.${form}.onnx`));
    const torch = loadTorch(fixture("models/lenet1-square/lenet1-square.pt"));
    expect(kindsOf(model)).toEqual(LENET1);
    expect(model.layers.map(({ layer }) => layer.options)).toEqual(torch.layers.map(({ layer }) => layer.options));
    expect(model.layers.map(({ index }) => index)).toEqual(LENET1.map((_, i) => i));
    // A chain needs no list of what it reads.
    expect(model.layers.some((layer) => layer.inputs)).toBe(false);
    for (const input of samplesOf("lenet1-square").slice(0, 2)) {
      expect(runModel(model, input)).toEqual(runModel(torch, input));
    }
  });

  test("a residual block is a graph", () => {
    const { layers } = loadOnnx(fixture("models/resblock/resblock.op18.dynamo.onnx"));
    expect(layers.map(({ layer, inputs }) => (inputs ? `${layer.kind} of ${inputs}` : layer.kind))).toEqual([
      ...["Conv2d", "Square", "Conv2d", "Square", "Conv2d", "Add of 1,4", "Square", "AvgPool2d", "Flatten", "Linear"],
    ]);
  });
});

describe("variants", () => {
  interface Variant {
    readonly name: string;
    readonly expect: "must" | "may" | "refuse";
    readonly layers: readonly { readonly type: string }[];
  }
  const { variants } = jsonFixture<{ variants: Variant[] }>("variants/variants.json");
  const exported = variants.filter(({ name }) => hasFixture(`variants/${name}.onnx`));
  /** Those that may run and do not: other padding than zeros is no option of ours. */
  const refusedByOption = new Set(["conv-padding-mode-reflect", "conv-padding-mode-replicate"]);
  const runs = ({ name, expect: expected }: Variant): boolean => expected !== "refuse" && !refusedByOption.has(name);

  test("72 of the 79 were exported", () => expect([variants.length, exported.length]).toEqual([79, 72]));

  test.each(exported.filter(runs))("$name gives PyTorch's output", ({ name }) => {
    const model = loadOnnx(fixture(`variants/${name}.onnx`));
    const error = worst(model, batchFixture(`variants/${name}.input.npy`), batchFixture(`variants/${name}.output.npy`));
    // Its batch norm was folded.
    expect(error).toBeLessThan(name === "batchnorm2d" ? ROUNDED : TOLERANCE);
  });

  test.each(exported.filter((variant) => !runs(variant)))("$name is refused by name", ({ name, expect: expected }) => {
    expect(expected).not.toBe("must");
    const error = refusal(() => requireSupported(loadOnnx(fixture(`variants/${name}.onnx`), `${name}.onnx`)));
    expect(error.code).toBe("UNSUPPORTED_LAYER");
    expect(error.message).toMatch(new RegExp(`^${name}\\.onnx: .*node \\d+ "/\\d/\\w+" \\(\\w+\\).*: .`));
  });

  test.each(exported.filter(({ name }) => /^(act-|maxpool)/.test(name)))(
    "$name gives PyTorch's output in the clear",
    ({ name }) => {
      const model = loadOnnx(fixture(`variants/${name}.onnx`));
      expect(model.layers.map(({ layer }) => layer.exactOnly !== undefined)).toContain(true);
      const error = worst(
        model,
        batchFixture(`variants/${name}.input.npy`),
        batchFixture(`variants/${name}.output.npy`),
      );
      // Slopes and constants in the file are in single precision.
      expect(error).toBeLessThan(1e-7);
    },
  );

  test.each([
    ["act-relu", "ReLU", 1, 'node 1 "/1/Relu" (Relu)'],
    ["act-silu", "SiLU", 1, 'node 2 "/1/Mul" (Mul)'],
    ["act-gelu", "GELU", 1, 'node 8 "/1/Mul_1" (Mul)'],
    ["act-gelu-tanh", "GELU", 1, 'node 13 "/1/Mul_5" (Mul)'],
    ["act-hardswish", "Hardswish", 1, 'node 2 "/1/Mul" (Mul)'],
    ["act-leakyrelu", "LeakyReLU", 1, 'node 1 "/1/LeakyRelu" (LeakyRelu)'],
    ["softmax", "Softmax", 1, 'node 1 "/1/Softmax" (Softmax)'],
    ["maxpool", "MaxPool2d", 0, 'node 0 "/0/MaxPool" (MaxPool)'],
  ])("%s is one layer under PyTorch's name, and those around it can be used", (name, kind, index, node) => {
    const model = loadOnnx(fixture(`variants/${name}.onnx`), "m.onnx");
    const { layer, refusal: reason } = model.layers[index];
    expect(model.layers).toHaveLength(index + 1);
    expect(layer.kind).toBe(kind);
    expect(reason?.message.startsWith(`m.onnx: layer ${index} (${kind}), ${node}`)).toBe(true);
    if (index > 0) requireSupported(selectLayers(model, [0]));
  });
});
