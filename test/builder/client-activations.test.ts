/** Layers that are exact in the clear alone, applied by the key's owner. */

import { describe, expect, test } from "vitest";
import { compile, runModel, type SourceModel } from "../../src/builder/index.ts";
import {
  addLayer,
  flattenLayer,
  geluLayer,
  maxPool2dLayer,
  reluLayer,
  softplusLayer,
  squareLayer,
  tanhLayer,
} from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import {
  createCkksBatchOperations,
  deserializeManifest,
  prepareBatchProgram,
  runBatch,
  serializeManifest,
  type Tensor,
  tensor,
} from "../../src/plan/index.ts";
import { chainOf, graphOf } from "../helpers/chain.ts";
import { argmax, loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { relativeError } from "../helpers/trained.ts";
import { conv, linear, randomNumbers } from "./planner/networks.ts";

const SHAPE = [1, 8, 8];
/** Two owner's layers in a row, one alone, and one at the end. */
const net = chainOf([
  conv(1, 2, 3),
  reluLayer(),
  maxPool2dLayer({ kernelSize: 2 }),
  flattenLayer(),
  linear(18, 6),
  geluLayer({ approximate: "tanh" }),
  linear(6, 4),
  softplusLayer({ beta: 2 }),
]);
const inputs = [1, 2, 3].map((seed): Tensor => {
  const random = randomNumbers(seed);
  return tensor(
    SHAPE,
    Float64Array.from({ length: 64 }, () => (random() + 1) / 2),
  );
});

function expectOutputs(model: SourceModel, outputs: readonly Tensor[]): void {
  for (const [i, output] of outputs.entries()) {
    const expected = runModel(model, inputs[i]!);
    expect(output.shape).toEqual(expected.shape);
    expect(relativeError(output.data, expected.data)).toBeLessThan(1e-3);
  }
}

describe("activations: client", () => {
  test("every such layer is applied between two segments, as the manifest says in plain data", async () => {
    const network = compile(net, { inputShape: SHAPE, activations: "client" });
    expect(network.manifest.segments.map(({ ownerLayers }) => ownerLayers)).toEqual([
      [
        { kind: "ReLU", options: {} },
        {
          kind: "MaxPool2d",
          options: { kernelSize: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1], ceilMode: false },
        },
      ],
      [{ kind: "GELU", options: { approximate: "tanh" } }],
      [{ kind: "Softplus", options: { beta: 2, threshold: 20 } }],
    ]);
    const manifest = deserializeManifest(serializeManifest(network.manifest));
    const { outputs, owner } = await runCompiled({ ...network, manifest }, inputs);
    owner.destroy();
    expectOutputs(net, outputs);
  });

  test("the evaluator's plans do not know of them", () => {
    const withOthers = chainOf(net.layers.map(({ layer }) => (layer.exactOnly === "element" ? tanhLayer() : layer)));
    const [plans, others] = [net, withOthers].map((model) => {
      const { manifest } = compile(model, { inputShape: SHAPE, activations: "client" });
      return manifest.segments.map(({ hash, slots }) => ({ hash, slots }));
    });
    expect(plans![0]).toEqual(others![0]);
    expect(plans!.map(({ slots }) => slots)).toEqual(others!.map(({ slots }) => slots));
  });

  test("re-encryption positions may be there as well, also among them", async () => {
    const network = compile(net, { inputShape: SHAPE, activations: "client", rencryptPositions: [2, 4] });
    expect(network.manifest.segments.map(({ ownerLayers }) => ownerLayers.length)).toEqual([2, 0, 1, 1]);
    const { outputs, owner } = await runCompiled(network, inputs.slice(0, 1));
    owner.destroy();
    expectOutputs(net, outputs);
  });

  test("for many images at once", async () => {
    const { manifest, plans } = compile(net, { inputShape: SHAPE, activations: "client", objective: "throughput" });
    const owner = await createOwner(manifest);
    const outputs = manifest.segments.reduce((images: readonly Tensor[], segment, i) => {
      const program = prepareBatchProgram(plans[i]!, createCkksBatchOperations(plans[i]!, owner.evaluator, segment));
      return owner.decryptBatch(segment, runBatch(program, owner.encryptBatch(segment, images)), images.length);
    }, inputs);
    owner.destroy();
    expectOutputs(net, outputs);
  });

  test("lenet5-relu-bn: 16 of 16 images", async () => {
    const model = loadFixture("models/lenet5-relu-bn/lenet5-relu-bn.pt");
    const images = unbatch(readNpy("samples/mnist16.input.npy"));
    const logits = unbatch(readNpy("models/lenet5-relu-bn/lenet5-relu-bn.logits.npy"));
    const network = compile(model, { inputShape: [1, 28, 28], activations: "client" });
    expect(network.manifest.segments.map(({ ownerLayers }) => ownerLayers.map(({ kind }) => kind))).toEqual([
      ["ReLU", "MaxPool2d"],
      ["ReLU", "MaxPool2d"],
      ["ReLU"],
      ["ReLU"],
      [],
    ]);
    const { outputs, owner } = await runCompiled(network, images);
    owner.destroy();
    const errors = outputs.map(({ data }, i) => relativeError(data, logits[i]!.data));
    console.info(`lenet5-relu-bn, client activations: largest error ${Math.max(...errors).toExponential(1)}`);
    expect(Math.max(...errors)).toBeLessThan(5e-4);
    expect(outputs.map(({ data }) => argmax(data))).toEqual(logits.map(({ data }) => argmax(data)));
  });
});

describe("is refused", () => {
  const refused = (model: SourceModel, options: object = { activations: "client" }): (() => unknown) => {
    return () => compile(model, { inputShape: [4], ...options });
  };
  const error = (code: string, message: RegExp): unknown =>
    expect.objectContaining({ code, message: expect.stringMatching(message) });

  test("where nothing was chosen, also of a model that comes from no file", () => {
    expect(refused(chainOf([linear(4, 3), tanhLayer()]), {})).toThrow(
      error(
        "UNSUPPORTED_LAYER",
        /^layer 1 \(Tanh\) does not run encrypted by itself: .*--activations polynomial --calibrate FILE.*--activations client/,
      ),
    );
    const pooled = chainOf([conv(1, 2, 3), maxPool2dLayer({ kernelSize: 2 })]);
    expect(refused(pooled, { inputShape: SHAPE })).toThrow(
      error("UNSUPPORTED_LAYER", /^layer 1 \(MaxPool2d\) .*: train with AvgPool2d.*, or .*--activations client/),
    );
  });

  test("before all that runs encrypted", () => {
    expect(refused(chainOf([tanhLayer(), linear(4, 3)]))).toThrow(
      error("UNSUPPORTED_MODEL", /^layer 0 \(Tanh\) comes before every layer that runs encrypted: leave it out/),
    );
  });

  test("within a shortcut", () => {
    const block = graphOf([[linear(4, 4)], [reluLayer()], [linear(4, 4)], [addLayer(), [2, 0]]]);
    expect(refused(block)).toThrow(error("UNSUPPORTED_MODEL", /within a shortcut.*layer 3 \(Add\)/));
    const fork = graphOf([[linear(4, 4)], [reluLayer()], [tanhLayer(), [0]]]);
    expect(refused(fork)).toThrow(error("UNSUPPORTED_MODEL", /layer 2 \(Tanh\)/));
  });

  test("on exact integers", () => {
    const small = chainOf([linear(4, 3), reluLayer(), linear(3, 2)]);
    expect(refused(small, { activations: "client", scheme: "bfv" })).toThrow(
      error("UNSUPPORTED_MODEL", /cannot apply ReLU under scheme "bfv".*use scheme "ckks"/),
    );
  });

  test("by another name, and at a position that is no layer's", () => {
    const small = chainOf([linear(4, 3), squareLayer(), reluLayer()]);
    expect(refused(small, { activations: "server" })).toThrow(
      /activations must be "client", or left out, got "server"/,
    );
    expect(refused(small, { activations: "client", rencryptPositions: [3] })).toThrow(RangeError);
  });
});
