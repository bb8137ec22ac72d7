import { describe, expect, test } from "vitest";
import { loadTorch, type SourceModel } from "../../../src/builder/torch/index.ts";
import { readTorchFile } from "../../../src/builder/torch/load.ts";
import { ofKind, type PickleValue } from "../../../src/builder/torch/pickle-values.ts";
import { readElements } from "../../../src/builder/torch/tensors.ts";
import type { Tensor } from "../../../src/plan/index.ts";
import { batchFixture, fixture, jsonFixture, refusal, relativeError } from "./fixtures.ts";

const TOLERANCE = 1e-9;

function run(model: SourceModel, input: Tensor): Tensor {
  return model.layers.reduce((x, { layer }) => layer.forward(x), input);
}

function worst(model: SourceModel, inputs: readonly Tensor[], wanted: readonly Tensor[]): number {
  return Math.max(...inputs.map((input, i) => relativeError(run(model, input), wanted[i])));
}

describe("trained models", () => {
  const samples = batchFixture("samples/mnist16.input.npy");

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
  ])("%s from %s gives PyTorch's logits", (name, file) => {
    const model = loadTorch(fixture(`models/${name.split("/")[0]}/${file}`), file);
    const error = worst(model, samples, batchFixture(`models/${name}.logits.npy`));
    console.log(`${file}: ${error.toExponential(1)} of the largest logit`);
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each([
    ["lenet1-square", ["Conv2d", "Square", "AvgPool2d", "Conv2d", "Square", "AvgPool2d", "Flatten", "Linear"]],
    ["tenseal-net", ["Conv2d", "Square", "Flatten", "Linear", "Square", "Linear"]],
  ])("every layer of %s gives PyTorch's output", (name, kinds) => {
    const { layers } = loadTorch(fixture(`models/${name}/${name}.pt`));
    expect(layers.map(({ layer }) => layer.kind)).toEqual(kinds);
    expect(layers.map(({ index }) => index)).toEqual(kinds.map((_, i) => i));
    expect(layers.map(({ position }) => position)).toEqual(kinds.map((_, i) => String(i)));
    const activations = samples.slice(0, 2);
    for (const { layer, index } of layers) {
      const wanted = batchFixture(`models/${name}/layers/${String(index).padStart(2, "0")}-${layer.kind}.npy`);
      for (const [i, input] of activations.entries()) {
        activations[i] = layer.forward(input);
        expect(relativeError(activations[i], wanted[i])).toBeLessThan(TOLERANCE);
      }
    }
  });
});

describe("variants", () => {
  interface Variant {
    readonly name: string;
    readonly expect: "must" | "may" | "refuse";
    readonly layers: readonly { readonly type: string }[];
  }
  const { variants } = jsonFixture<{ variants: Variant[] }>("variants/variants.json");
  const supported = new Set(["Conv2d", "Linear", "AvgPool2d", "Flatten", "Square"]);
  const refusedByOption = /^(conv-padding-mode-(reflect|replicate|circular)|empty-sequential|modulelist)$/;
  const runs = (variant: Variant): boolean =>
    variant.layers.every(({ type }) => supported.has(type)) && !refusedByOption.test(variant.name);

  test.each(variants.filter(runs))("$name gives PyTorch's output", ({ name, expect: expected }) => {
    expect(expected).not.toBe("refuse");
    const model = loadTorch(fixture(`variants/${name}.pt`));
    const error = worst(model, batchFixture(`variants/${name}.input.npy`), batchFixture(`variants/${name}.output.npy`));
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each(variants.filter((variant) => !runs(variant)))("$name is refused by name", ({ name, layers }) => {
    const error = refusal(() => loadTorch(fixture(`variants/${name}.pt`)));
    expect(["UNSUPPORTED_LAYER", "UNSUPPORTED_MODEL"]).toContain(error.code);
    const culprit = layers.find(({ type }) => !supported.has(type));
    if (culprit) expect(error.message).toContain(`layer ${layers.indexOf(culprit)} (${culprit.type})`);
  });

  test("41 of the 79 run", () => {
    expect(variants).toHaveLength(79);
    expect(variants.filter(runs)).toHaveLength(41);
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

describe("tensors", () => {
  interface Listing {
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly values: readonly (number | string)[];
  }
  const { files } = jsonFixture<{ files: { path: string; tensors: Record<string, Listing> }[] }>(
    "tensors/tensors.json",
  );

  // The same dictionaries in the format before torch 1.6.
  const legacy = files
    .filter(({ path }) => ["strided.pth", "dtypes.pth", "parameters.pth"].includes(path))
    .map(({ path, tensors }) => ({ path: path.replace(".pth", ".legacy.pth"), tensors }));

  test.each([...files, ...legacy])("$path", ({ path, tensors }) => {
    const root = readTorchFile(fixture(`tensors/${path}`)) as Map<string, PickleValue>;
    for (const [key, { dtype, shape, values }] of Object.entries(tensors)) {
      if (key.includes(".")) continue;
      const tensor = ofKind(root.get(key), "tensor");
      expect(tensor?.storage.dtype.name, key).toBe(dtype);
      expect(tensor?.shape, key).toEqual(shape);
      const floating = dtype.includes("float");
      const read = readElements(tensor!);
      if (floating) expect([...(read ?? [])], key).toEqual(values.map((value) => pythonNumber(value)));
      else expect(read, key).toBeUndefined();
    }
  });

  function pythonNumber(value: number | string): number {
    return typeof value === "number" ? value : Number(value.replace("inf", "Infinity").replace("nan", "NaN"));
  }
});
