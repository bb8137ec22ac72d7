import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type CompiledBatch, compile, runModel, type SourceModel } from "../../src/builder/index.ts";
import { readImages, readLabels } from "../../src/data/index.ts";
import { squareLayer } from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import {
  createCkksBatchOperations,
  type Layer,
  prepareBatchProgram,
  runBatch,
  runClear,
  type Tensor,
  tensor,
} from "../../src/plan/index.ts";
import { freeCiphertext, maximumModulusBits, modulusBits } from "../../src/rlwe/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { denseLayers } from "../helpers/dense.ts";
import { argmax, loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { numbers } from "../helpers/plans.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const read = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/data/${name}`, import.meta.url));
const LENET = loadFixture("models/lenet1-square/lenet1-square.pt");
const OPTIONS = { inputShape: [1, 28, 28], objective: "throughput" } as const;

/** Runs a compiled batch through all its segments. */
async function runAll({ manifest, plans }: CompiledBatch, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const owner = await createOwner(manifest);
  let tensors = [...inputs];
  for (const [i, segment] of manifest.segments.entries()) {
    const operations = createCkksBatchOperations(plans[i]!, owner.evaluator, segment);
    const program = prepareBatchProgram(plans[i]!, operations);
    const encrypted = owner.encryptBatch(segment, tensors);
    const outputs = runBatch(program, encrypted, { onInputDone: freeCiphertext });
    tensors = owner.decryptBatch(segment, outputs, tensors.length);
  }
  owner.destroy();
  return tensors;
}

/** Largest error, relative to the largest value of the same tensor. */
function relativeError(found: Tensor, expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  const largest = Math.max(...values.map(Math.abs));
  return Math.max(...values.map((value, i) => Math.abs(found.data[i]! - value))) / largest;
}

describe("LeNet-1 on the thousand images of the test set, in one batch", () => {
  const { images } = readImages(read("mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
  const labels = readLabels(read("mnist-t10k-first1000-labels-idx1-ubyte.gz"), "labels");
  const plain = images.map((image) => runModel(LENET, image));
  const accuracyOf = (tensors: readonly Tensor[]): number =>
    tensors.filter(({ data }, i) => argmax(data) === labels[i]).length / labels.length;

  test("answers and accuracy are those of the plain model, logits those of PyTorch", async () => {
    const network = compile(LENET, OPTIONS);
    const { parameters, capacity } = network.manifest;
    const primes = [...parameters.dataPrimes, ...parameters.specialPrimes];
    expect(modulusBits(primes)).toBeLessThanOrEqual(maximumModulusBits(parameters.ringDegree, 128));
    expect(capacity).toBe(parameters.ringDegree / 2);
    expect(network.predictedError).toBeLessThan(1e-3);
    const results = await runAll(network, images);
    const recorded = unbatch(readNpy("models/lenet1-square/lenet1-square.logits.npy"));
    for (const [i, { data }] of recorded.entries()) {
      expect(relativeError(results[i]!, data)).toBeLessThan(1e-3);
      expect(argmax(results[i]!.data)).toBe(argmax(Float64Array.from(data)));
    }
    expect(results.every((result, i) => relativeError(result, plain[i]!.data) <= 1e-3)).toBe(true);
    expect(accuracyOf(results)).toBe(accuracyOf(plain));
  });

  test("weights of eight bits are off by what was predicted, and cost no more than half a point of accuracy", async () => {
    const network = compile(LENET, { ...OPTIONS, weightBits: 8 });
    const results = await runAll(network, images);
    const largest = Math.max(...results.map((result, i) => relativeError(result, plain[i]!.data)));
    expect(largest).toBeGreaterThan(network.predictedError / 4);
    expect(largest).toBeLessThan(4 * network.predictedError);
    expect(accuracyOf(results)).toBeGreaterThanOrEqual(accuracyOf(plain) - 0.005);
  });
});

const modelOf = (...layers: Layer[]): SourceModel => chainOf(layers);
const dense = denseLayers(numbers(3));

test("re-encryption positions cut the plan into segments of one chain", async () => {
  const model = modelOf(dense(6, 4), squareLayer(), dense(3, 6), squareLayer(), dense(2, 3));
  const options = { inputShape: [4], objective: "throughput" } as const;
  const whole = compile(model, options);
  const cut = compile(model, { ...options, rencryptPositions: [2] });
  expect(cut.plans).toHaveLength(2);
  expect(cut.manifest.segments.map(({ inputShape }) => inputShape)).toEqual([[4], [6]]);
  expect(cut.manifest.parameters.dataPrimes.length).toBeLessThan(whole.manifest.parameters.dataPrimes.length);
  const input = tensor([4], [0.1, 0.9, 0.5, 0]);
  const [result] = await runAll(cut, [input, input]);
  expect(relativeError(result!, runModel(model, input).data)).toBeLessThan(1e-3);
});

test("the objective decides which packing is made", () => {
  const model = modelOf(dense(2, 3));
  const latency = compile(model, { inputShape: [3] });
  expect(runClear(latency.plans[0]!, tensor([3], [0, 1, 0])).shape).toEqual([2]);
  expect(compile(model, { inputShape: [3], objective: "throughput" }).manifest.packing).toBe("batch");
});

test("what cannot be is refused", () => {
  const model = modelOf(dense(2, 3));
  const attempt = (options: object) => () => compile(model, { inputShape: [3], ...options });
  expect(attempt({ objective: "speed" })).toThrow('objective must be "latency", "memory" or "throughput", got "speed"');
  expect(attempt({ weightBits: 8 })).toThrow('weightBits is for objective "throughput"');
  expect(attempt({ objective: "throughput", weightBits: 17 })).toThrow(
    "weightBits must be a number from 4 to 16, got 17",
  );
  const deep = modelOf(...Array.from({ length: 14 }, () => squareLayer()));
  expectRefusal(
    () => compile(deep, { inputShape: [2], objective: "throughput" }),
    "NO_PARAMETERS",
    /set a re-encryption position/,
  );
  expectRefusal(attempt({ objective: "throughput", signal: AbortSignal.abort() }), "ABORTED");
});
