import { expect, test } from "vitest";
import { compile } from "../../../src/builder/index.ts";
import { loadFixture, runCompiled } from "../../helpers/encrypted.ts";
import { readNpy, unbatch } from "../../helpers/npy.ts";
import { expectTrainedNetwork, relativeError } from "../../helpers/trained.ts";

test("an export runs encrypted: 16 of 16 images", () =>
  expectTrainedNetwork("lenet1-square", "mnist16", loadFixture("models/lenet1-square/lenet1-square.op18.dynamo.onnx")));

test("the plan of an export is that of the torch file", () => {
  const planOf = (file: string): string =>
    compile(loadFixture(file), { inputShape: [1, 28, 28] }).manifest.segments[0]!.hash;
  expect(planOf("old-torch/linear.torch1.13.1.op9.onnx")).toBe(planOf("models/linear/linear.pt"));
});

test.each(["act-relu", "act-silu", "act-gelu"])("%s runs with its activation at the key's owner", async (name) => {
  const inputs = unbatch(readNpy(`variants/${name}.input.npy`));
  const wanted = unbatch(readNpy(`variants/${name}.output.npy`));
  const model = loadFixture(`variants/${name}.onnx`);
  const network = compile(model, { inputShape: [12], inputRange: [-4, 4], activations: "client" });
  expect(network.manifest.segments[0]!.ownerLayers).toHaveLength(1);
  const { outputs, owner } = await runCompiled(network, inputs);
  owner.destroy();
  for (const [i, { data }] of outputs.entries()) expect(relativeError(data, wanted[i]!.data)).toBeLessThan(1e-3);
});
