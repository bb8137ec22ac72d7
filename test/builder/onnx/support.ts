import { expect } from "vitest";
import { loadOnnx, runModel, type SourceModel } from "../../../src/builder/index.ts";
import { sizeOf, tensor } from "../../../src/plan/index.ts";
import { randomValues } from "../../layers/support.ts";
import { evaluate } from "./reference/evaluate.ts";
import { type ModelSpec, modelProto } from "./writer.ts";

export function load(spec: ModelSpec): SourceModel {
  return loadOnnx(modelProto(spec), "model.onnx");
}

/** Holds a model, image by image, against the standard's operators on a batch of two; returns the kinds of its layers. */
export function expectAgreement(spec: ModelSpec, seed = 1, tolerance = 1e-12): string[] {
  const shape = spec.input.slice(1) as number[];
  const batch = typeof spec.input[0] === "number" ? spec.input[0] : 2;
  const size = sizeOf(shape);
  const data = randomValues(seed, batch * size);
  const wanted = evaluate(spec, { shape: [batch, ...shape], data: [...data] });
  const model = load(spec);
  const [images, ...output] = wanted.shape;
  expect(images).toBe(batch);
  for (let image = 0; image < batch; image++) {
    const got = runModel(model, tensor(shape, data.slice(image * size, (image + 1) * size)));
    expect(got.shape).toEqual(output);
    const row = wanted.data.slice(image * sizeOf(output), (image + 1) * sizeOf(output));
    const largest = Math.max(1e-300, ...row.map(Math.abs));
    for (const [i, value] of row.entries()) expect(Math.abs(got.data[i] - value) / largest).toBeLessThan(tolerance);
  }
  return model.layers.map(({ layer }) => layer.kind);
}
