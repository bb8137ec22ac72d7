import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Architecture, readModel, runModel } from "../../../src/builder/index.ts";
import { readTorchFile } from "../../../src/builder/torch/load.ts";
import { ofKind, type PickleValue } from "../../../src/builder/torch/pickle-values.ts";
import { stateDictOf } from "../../../src/builder/torch/state-dict.ts";
import { readElements } from "../../../src/builder/torch/tensors.ts";
import { batchFixture, fixture, jsonFixture, refusal, relativeError } from "./fixtures.ts";

interface Listing {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Integers of 64 bits as strings; null for complex numbers. */
  readonly values: readonly (number | string)[] | null;
}

const { files } = jsonFixture<{ files: { path: string; tensors: Record<string, Listing> }[] }>("tensors/tensors.json");

/** What stands at a path of keys and indexes, or under a key that looks like one. */
function at(root: PickleValue, path: string): PickleValue | undefined {
  if (root instanceof Map && root.has(path)) return root.get(path);
  return path.split(".").reduce<PickleValue | undefined>((value, key) => {
    if (value instanceof Map) return value.get(key);
    return Array.isArray(value) ? value[Number(key)] : undefined;
  }, root);
}

function pythonNumber(value: number | string): number {
  return typeof value === "number" ? value : Number(value.replace("inf", "Infinity").replace("nan", "NaN"));
}

describe("every tensor of every file is equal, or no weight", () => {
  test.each(files)("$path", ({ path, tensors }) => {
    const root = readTorchFile(fixture(`tensors/${path}`));
    expect(Object.keys(tensors)).not.toHaveLength(0);
    for (const [key, { dtype, shape, values }] of Object.entries(tensors)) {
      const tensor = ofKind(key === "" ? root : at(root, key), "tensor");
      expect(tensor?.storage.dtype.name, key).toBe(dtype);
      expect(tensor?.shape, key).toEqual(shape);
      const read = tensor && readElements(tensor);
      if (/^b?float/.test(dtype)) expect([...(read ?? [])], key).toEqual(values?.map(pythonNumber));
      else expect(read, key).toBeUndefined();
    }
  });

  test("no file is left out", () => {
    const listed = files.map(({ path }) => path);
    // Whole models, which are run instead.
    const there = readdirSync(new URL("../../fixtures/tensors/", import.meta.url)).filter((name) =>
      /\.pth?$/.test(name),
    );
    expect(there.filter((name) => !listed.includes(name))).toEqual(["tied.pt"]);
  });
});

describe("as state_dicts", () => {
  test.each(files.filter(({ path }) => !/^(nested|bare-tensor)\./.test(path)))("$path", ({ path, tensors }) => {
    const state = stateDictOf(readTorchFile(fixture(`tensors/${path}`)));
    expect([...state.keys()]).toEqual(Object.keys(tensors));
    for (const [key, { dtype, shape }] of Object.entries(tensors))
      expect(state.get(key)).toMatchObject({ dtype, shape });
  });

  test("what is none is refused", () => {
    expect(refusal(() => stateDictOf(readTorchFile(fixture("tensors/bare-tensor.pt")))).message).toContain(
      "it holds a tensor",
    );
    expect(refusal(() => stateDictOf(readTorchFile(fixture("tensors/nested.pth")))).message).toContain(
      '"list" is a list',
    );
  });
});

test("tied weights are one storage in two layers", () => {
  const architecture: Architecture = [
    { kind: "Linear", name: "a", inFeatures: 6, outFeatures: 6, bias: false },
    { kind: "Linear", name: "b", inFeatures: 6, outFeatures: 6 },
  ];
  const wanted = batchFixture("tensors/tied.output.npy");
  for (const model of [
    readModel(fixture("tensors/tied.pth"), { architecture }),
    readModel(fixture("tensors/tied.pt")),
  ]) {
    for (const [i, input] of batchFixture("tensors/tied.input.npy").entries()) {
      expect(relativeError(runModel(model, input), wanted[i])).toBeLessThan(1e-12);
    }
  }
});
