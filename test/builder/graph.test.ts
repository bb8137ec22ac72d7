/** Models whose layers form a graph: what reads what, where they can be cut. */

import { describe, expect, test } from "vitest";
import {
  compile,
  MODEL_INPUT,
  networkSteps,
  runModel,
  type SourceModel,
  selectLayers,
  traceShapes,
} from "../../src/builder/index.ts";
import {
  addLayer,
  avgPool2dLayer,
  callable,
  concatLayer,
  flattenLayer,
  linearLayer,
  polynomialLayer,
  refreshLayer,
  squareLayer,
} from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import { type Layer, MissingKeysError, type Tensor, tensor } from "../../src/plan/index.ts";
import { graphOf, type Placed } from "../helpers/chain.ts";
import { runCompiled } from "../helpers/encrypted.ts";
import { relativeError } from "../helpers/trained.ts";
import { conv, linear, randomNumbers } from "./planner/networks.ts";

const graph = (...layers: readonly Placed[]): SourceModel => graphOf(layers);
const pool = (): Layer => avgPool2dLayer({ kernelSize: 2 });
/** x -> p = pool(x) -> s = p^2 -> s + p -> concat with p -> pool */
const model = graph([pool()], [squareLayer()], [addLayer(), [1, 0]], [concatLayer(), [2, 0]], [pool()]);
const input = tensor(
  [1, 4, 4],
  Float64Array.from({ length: 16 }, (_, i) => i),
);

describe("a graph in the clear", () => {
  test("every layer gets what it reads", () => {
    const pooled = [2.5, 4.5, 10.5, 12.5];
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value / 4, 0);
    const output = runModel(model, input);
    expect(output.shape).toEqual([2, 1, 1]);
    expect([...output.data]).toEqual([mean(pooled.map((p) => p * p + p)), mean(pooled)]);
  });

  test("the model's input can be read by several layers", () => {
    const twice = graph([squareLayer()], [addLayer(), [0, MODEL_INPUT]]);
    expect([...runModel(twice, tensor([2], [3, -4])).data]).toEqual([12, 12]);
  });

  test("steps say what they read", () => {
    const steps = networkSteps(model, traceShapes(model, input.shape));
    expect(steps.map(({ inputs }) => inputs)).toEqual([[0], [1], [2, 1], [3, 1], [4]]);
  });

  test.each([3, 7, -2, 0.5])("a layer cannot read number %d", (number) => {
    const broken = graph([pool()], [addLayer(), [0, number]]);
    expect(() => traceShapes(broken, input.shape)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_MODEL", message: expect.stringContaining("layer 1 (Add)") }),
    );
  });

  test("a shape that does not fit names the layer", () => {
    const broken = graph([pool()], [addLayer(), [0, MODEL_INPUT]]);
    expect(() => traceShapes(broken, input.shape)).toThrow("layer 1 (Add) with an input of shape 1x4x4");
  });
});

describe("cuts", () => {
  test("a stretch behind a shortcut keeps its numbers, one within it is refused", () => {
    expect([...runModel(selectLayers(model, [4]), tensor([1, 2, 2], [1, 2, 3, 4])).data]).toEqual([2.5]);
    expect(() => selectLayers(model, [2, 3, 4])).toThrow(/layer 2 \(Add\).*shortcut/);
  });

  test("a stretch may read its own input twice", () => {
    const middle = selectLayers(model, [1, 2, 3]);
    expect([...runModel(middle, tensor([1, 1, 1], [3])).data]).toEqual([12, 3]);
  });

  test("so may what follows a refresh, and a refresh within a shortcut is refused", () => {
    expect(() => compile(model, { inputShape: [1, 4, 4], rencryptPositions: [3] })).toThrow(/layer 3 \(Concat\)/);
  });

  test("a Refresh layer is the re-encryption position of its number", async () => {
    const seven = randomNumbers(3);
    const weight = { shape: [4, 4], data: Float64Array.from({ length: 16 }, seven) };
    const layer = (): Layer => linearLayer({ weight });
    const marked = graph([layer()], [squareLayer()], [refreshLayer()], [layer()]);
    const network = compile(marked, { inputShape: [4] });
    expect(network.plans).toHaveLength(2);
    const asked = compile(marked, { inputShape: [4], rencryptPositions: [2] });
    expect(network.manifest).toEqual(asked.manifest);
    const x = tensor([4], [0.1, 0.2, 0.3, 0.4]);
    const { outputs, owner } = await runCompiled(network, [x]);
    expect(relativeError(outputs[0]!.data, runModel(marked, x).data)).toBeLessThan(1e-3);
    owner.destroy();
  });

  test("batches take chains", () => {
    expect(() => compile(model, { inputShape: [1, 4, 4], objective: "throughput" })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_MODEL", message: expect.stringContaining("layer 2 (Add)") }),
    );
  });
});

describe("graphs on ciphertexts", () => {
  const seven = randomNumbers(11);
  const image = (): Tensor =>
    tensor(
      [1, 10, 10],
      Float64Array.from({ length: 100 }, () => (seven() + 1) / 2),
    );
  /** A linear layer whose outputs are about as large as its inputs. */
  const narrow = (inputs: number, outputs: number): Layer => {
    const data = Float64Array.from({ length: inputs * outputs }, () => seven() / Math.sqrt(inputs));
    return linearLayer({ weight: { shape: [outputs, inputs], data } });
  };
  const residual = graph(
    [conv(1, 4, 3, { padding: 1 })],
    [squareLayer()],
    [conv(4, 4, 3, { padding: 1 })],
    [addLayer(), [2, 0]],
    [squareLayer()],
    [concatLayer(), [4, 3]],
    [pool()],
    [flattenLayer()],
    [linear(200, 10)],
  );
  const activated = graph(
    [conv(1, 4, 3, { stride: 2 })],
    [polynomialLayer({ coefficients: [0.2, 0.5, 0.3, 0, -0.05] })],
    [flattenLayer()],
    [narrow(64, 8)],
    [polynomialLayer({ coefficients: [0.5, 0.2, 0, -0.01] })],
    [narrow(8, 4)],
    [polynomialLayer({ coefficients: [0, 0.5, 0.1, 0, -0.01, 0, 0.001, 0, 0.0001] })],
  );
  test.each([
    ["shortcuts and concatenations", residual],
    ["polynomials of degree 3, 4 and 8", activated],
  ])("%s", async (_, each) => {
    const network = compile(each, { inputShape: [1, 10, 10] });
    const inputs = [image(), image()];
    const { outputs, owner } = await runCompiled(network, inputs);
    owner.destroy();
    for (const [i, output] of outputs.entries()) {
      expect(relativeError(output.data, runModel(each, inputs[i]!).data)).toBeLessThan(1e-3);
    }
  });

  test("a polynomial is called like any other layer", async () => {
    const owner = await createOwner(compile(activated, { inputShape: [1, 10, 10] }).manifest);
    const layer = polynomialLayer({ coefficients: [0.2, 0.5, 0.3] });
    const x = tensor(
      [12],
      Float64Array.from({ length: 12 }, () => seven()),
    );
    const call = callable(owner.evaluator, layer);
    const encrypted = owner.encryptTensor(x);
    try {
      call(encrypted);
    } catch (error) {
      if (!(error instanceof MissingKeysError)) throw error;
      owner.addKeys(error.demand);
    }
    const y = owner.decryptTensor(call(encrypted));
    expect(relativeError(y.data, layer.forward(x).data)).toBeLessThan(1e-3);
    owner.destroy();
  });
});
