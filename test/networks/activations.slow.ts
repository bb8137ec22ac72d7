import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type CompiledNetwork, compile, fit, runModel, type SourceModel } from "../../src/builder/index.ts";
import { readImages, readLabels } from "../../src/data/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import { argmax, loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { relativeError } from "../helpers/trained.ts";

const TIMEOUT = 1_200_000;
const read = (path: string): Uint8Array => readFileSync(new URL(`../fixtures/data/${path}`, import.meta.url));
const { images } = readImages(read("mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
const labels = readLabels(read("mnist-t10k-first1000-labels-idx1-ubyte.gz"), "labels");
const inputs = unbatch(readNpy("samples/mnist16.input.npy"));
/** Fitted on some of the images, held to all of them. */
const calibration = images.slice(0, 400);
const SAMPLES = 32;

const answersOf = (model: SourceModel): number[] => images.map((image) => argmax(runModel(model, image).data));
const accuracyOf = (answers: readonly number[]): number =>
  (100 * answers.filter((answer, i) => answer === labels[i]).length) / answers.length;

async function run(network: CompiledNetwork): Promise<Tensor[]> {
  const { outputs, owner } = await runCompiled(network, inputs);
  owner.destroy();
  return outputs;
}

describe.each(["lenet5-silu-bn", "lenet5-relu-bn"])("%s", (name) => {
  const model = loadFixture(`models/${name}/${name}.pt`);
  const logits = unbatch(readNpy(`models/${name}/${name}.logits.npy`));

  test(
    "with activations by the client: 16 of 16 images, as the exact model",
    async () => {
      const network = compile(model, { inputShape: [1, 28, 28], activations: "client" });
      const outputs = await run(network);
      const errors = outputs.map(({ data }, i) => relativeError(data, logits[i]!.data));
      console.info(
        `${name}, client: ${network.manifest.segments.length - 1} re-encryptions, error ${Math.max(...errors).toExponential(1)}`,
      );
      expect(Math.max(...errors)).toBeLessThan(5e-4);
      expect(outputs.map(({ data }) => argmax(data))).toEqual(logits.map(({ data }) => argmax(data)));
    },
    TIMEOUT,
  );

  test(
    "with polynomials: the accuracy within half a point in the clear, and encrypted what they are in the clear",
    async () => {
      const fitted = fit(model, { calibration });
      const [exact, found] = [answersOf(model), answersOf(fitted.model)];
      const [before, after] = [accuracyOf(exact), accuracyOf(found)];
      const same = found.filter((answer, i) => answer === exact[i]).length;
      const degrees = fitted.fit.activations.map(({ index, degree }) => `${index}: ${degree}`).join(", ");
      console.info(`${name}, polynomials (${degrees}): ${after} % of 1000, exact ${before} %, ${same} answers alike`);
      expect(Math.abs(after - before)).toBeLessThanOrEqual(0.5);

      const network = compile(fitted.model, {
        inputShape: [1, 28, 28],
        activations: "client",
        inputRange: [0, 1],
        calibration: calibration.slice(0, SAMPLES),
      });
      const outputs = await run(network);
      const plain = inputs.map((input) => runModel(fitted.model, input));
      const errors = outputs.map(({ data }, i) => relativeError(data, plain[i]!.data));
      console.info(
        `${name}, polynomials encrypted: N = ${network.manifest.parameters.ringDegree}, ${network.manifest.segments.length - 1} re-encryptions, ` +
          `error ${Math.max(...errors).toExponential(1)} (predicted ${network.predictedError.toExponential(1)})`,
      );
      expect(Math.max(...errors)).toBeLessThan(1e-3);
      expect(outputs.map(({ data }) => argmax(data))).toEqual(plain.map(({ data }) => argmax(data)));
      expect(outputs.map(({ data }) => argmax(data))).toEqual(logits.map(({ data }) => argmax(data)));
    },
    TIMEOUT,
  );
});
