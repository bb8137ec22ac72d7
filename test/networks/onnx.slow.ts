import { describe, expect, test } from "vitest";
import { compile } from "../../src/builder/index.ts";
import { argmax, loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { expectTrainedNetwork, relativeError } from "../helpers/trained.ts";

const TIMEOUT = 300_000;

describe("every form in which exporters write a network runs encrypted", () => {
  test.each([
    "op13",
    "op13.static",
    "op17",
    "op18.dynamo",
    "op20.dynamo.static",
    "torch1.13.1.op9",
    "torch1.13.1.op11",
  ])(
    "lenet1-square from %s: 16 of 16 images",
    (form) =>
      expectTrainedNetwork("lenet1-square", "mnist16", loadFixture(`models/lenet1-square/lenet1-square.${form}.onnx`)),
    TIMEOUT,
  );

  test.each(["op13.bn", "op18.dynamo"])(
    "a residual network from %s: 16 of 16 images",
    async (form) => {
      const model = loadFixture(`models/resblock/resblock.${form}.onnx`);
      const logits = unbatch(readNpy("models/resblock/resblock.logits.npy"));
      const network = compile(model, { inputShape: [1, 28, 28] });
      const { outputs, owner } = await runCompiled(network, unbatch(readNpy("samples/mnist16.input.npy")));
      owner.destroy();
      expect(outputs.map(({ data }) => argmax(data))).toEqual(logits.map(({ data }) => argmax(data)));
      const error = Math.max(...outputs.map(({ data }, i) => relativeError(data, logits[i]!.data)));
      console.log(`resblock.${form}.onnx: largest error ${error.toExponential(1)} of the largest logit`);
      expect(error).toBeLessThan(5e-4);
    },
    TIMEOUT,
  );
});
