import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile, runModel, type SourceModel } from "../../src/builder/index.ts";
import { readImages } from "../../src/data/index.ts";
import { squareLayer } from "../../src/layers/index.ts";
import { type AffineStage, type Layer, runIntegerClear, type Tensor, tensor } from "../../src/plan/index.ts";
import { maximumModulusBits, modulusBits } from "../../src/rlwe/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { denseLayers } from "../helpers/dense.ts";
import { argmax, loadFixture } from "../helpers/encrypted.ts";
import { runIntegers } from "../helpers/integers.ts";
import { numbers } from "../helpers/plans.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const read = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/data/${name}`, import.meta.url));
const { images } = readImages(read("mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
const OPTIONS = { inputShape: [1, 28, 28], scheme: "bfv" } as const;

const modelOf = (...layers: Layer[]): SourceModel => chainOf(layers);
const dense = denseLayers(numbers(3));

/** Largest error, relative to the largest value of the same tensor. */
function relativeError(found: Tensor, expected: Tensor): number {
  const largest = Math.max(...expected.data.map(Math.abs));
  return Math.max(...expected.data.map((value, i) => Math.abs(found.data[i]! - value))) / largest;
}

test("LeNet-1 with one square, 64 images: every logit is the integer network's, bit for bit", async () => {
  const model = loadFixture("models/lenet1-one-square/lenet1-one-square.pt");
  const network = compile(model, OPTIONS);
  const { parameters, plainModuli, capacity, segments } = network.manifest;
  const primes = [...parameters.dataPrimes, ...parameters.specialPrimes];
  expect(modulusBits(primes)).toBeLessThanOrEqual(maximumModulusBits(parameters.ringDegree, 128));
  expect(capacity).toBe(parameters.ringDegree);
  const [low, high] = segments[0]!.outputBounds.map(BigInt) as [bigint, bigint];
  expect(plainModuli.reduce((product, prime) => product * BigInt(prime), 1n)).toBeGreaterThan(high - low);

  const batch = images.slice(0, 64);
  const { tensors, integers, budgets } = await runIntegers(network, batch);
  const expected = batch.map((image) => runIntegerClear(network.plans[0]!, segments[0]!.inputScale, image));
  expect(integers[0]).toEqual(expected);
  for (const { measured, estimated } of budgets) expect(measured).toBeGreaterThanOrEqual(estimated);
  const plain = batch.map((image) => runModel(model, image));
  for (const [i, found] of tensors.entries()) {
    expect(relativeError(found, plain[i]!)).toBeLessThan(2e-2);
    expect(argmax(found.data)).toBe(argmax(plain[i]!.data));
  }
});

describe("the planner", () => {
  const model = loadFixture("models/lenet1-square/lenet1-square.pt");
  const network = compile(model, OPTIONS);
  const span = ({ outputBounds }: { readonly outputBounds: readonly [string, string] }): bigint =>
    BigInt(outputBounds[1]) - BigInt(outputBounds[0]);

  test("makes plain data", () => {
    expect(JSON.parse(JSON.stringify(network.manifest))).toEqual(network.manifest);
    expect(compile(model, { ...OPTIONS, objective: "throughput" }).manifest).toEqual(network.manifest);
  });

  test("takes no more plain modulus than the outputs' range, and more for more precision", () => {
    const product = network.manifest.plainModuli.reduce((all, prime) => all * BigInt(prime), 1n);
    const own = span(network.manifest.segments[0]!);
    expect(product).toBeGreaterThan(own);
    // Below a prime more.
    expect(product).toBeLessThan(own << BigInt(4 * network.manifest.plainModuli.length));
    const finer = compile(model, { ...OPTIONS, precision: 2e-3 });
    expect(finer.predictedError).toBeLessThan(2e-3);
    expect(span(finer.manifest.segments[0]!)).toBeGreaterThan(1000n * own);
    expect(finer.imagesPerSecond).toBeLessThan(network.imagesPerSecond);
  });

  test("gives weights of eight bits about a hundred bits of plain modulus", () => {
    const eight = compile(model, { ...OPTIONS, weightBits: 8 });
    const bits = span(eight.manifest.segments[0]!).toString(2).length;
    expect(bits).toBeGreaterThan(90);
    expect(bits).toBeLessThan(110);
    const largest = eight.plans[0]!.stages.filter((stage): stage is AffineStage => stage.op === "affine").map(
      ({ weight }) => weight.reduce((most, each) => Math.max(most, Math.abs(each)), 0),
    );
    expect(largest).toEqual([127, 127, 127]);
  });

  test("gives fewer bits to what is squared more often, for the same error", () => {
    const alike = modelOf(dense(8, 8), squareLayer(), dense(8, 8), squareLayer(), dense(8, 8));
    const { plans } = compile(alike, { inputShape: [8], scheme: "bfv" });
    const scales = plans[0]!.stages.flatMap((stage) => (stage.op === "affine" ? [stage.weightScale] : []));
    expect(scales).toHaveLength(3);
    // The search sees errors, too: only the order of magnitude is the rule's.
    expect(scales[0]).toBeLessThan(4 * scales[2]!);
  });
});

test("re-encryption positions cut the plan into segments under one key", async () => {
  const model = modelOf(dense(6, 4), squareLayer(), dense(3, 6), squareLayer(), dense(2, 3));
  const options = { inputShape: [4], scheme: "bfv" } as const;
  const whole = compile(model, options);
  const cut = compile(model, { ...options, rencryptPositions: [2] });
  expect(cut.plans).toHaveLength(2);
  expect(cut.manifest.segments.map(({ inputShape }) => inputShape)).toEqual([[4], [6]]);
  expect(cut.manifest.plainModuli.length).toBeLessThan(whole.manifest.plainModuli.length);
  const batch = [tensor([4], [0.1, 0.9, 0.5, 0]), tensor([4], [1, 1, 1, 1])];
  const { tensors, integers, inputs } = await runIntegers(cut, batch);
  for (const [s, { inputScale }] of cut.manifest.segments.entries()) {
    expect(integers[s]).toEqual(inputs[s]!.map((input) => runIntegerClear(cut.plans[s]!, inputScale, input)));
  }
  for (const [i, found] of tensors.entries()) {
    expect(relativeError(found, runModel(model, batch[i]!))).toBeLessThan(4e-2);
  }
});

test("what cannot be is refused", () => {
  const model = modelOf(dense(2, 3));
  const attempt = (options: object) => () => compile(model, { inputShape: [3], ...options });
  expect(attempt({ scheme: "bgv" })).toThrow('scheme must be "ckks" or "bfv", got "bgv"');
  expect(attempt({ scheme: "bfv", objective: "latency" })).toThrow(
    /^scheme "bfv" runs batches, .*leave objective out, or use scheme "ckks"/,
  );
  expectRefusal(attempt({ scheme: "bfv", precision: 1e-6 }), "NO_PARAMETERS", /closest: .*less precision/);
  const deep = modelOf(...Array.from({ length: 4 }, () => [dense(4, 4), squareLayer()]).flat());
  expectRefusal(
    () => compile(deep, { inputShape: [4], scheme: "bfv", weightBits: 16 }),
    "NO_PARAMETERS",
    /integers, of \d+ bits, are more than 16 plain moduli hold; .* re-encryption position .* fewer than 16 weightBits/,
  );
  const deeper = modelOf(...Array.from({ length: 10 }, () => [dense(4, 4), squareLayer()]).flat());
  expectRefusal(
    () => compile(deeper, { inputShape: [4], scheme: "bfv", weightBits: 16 }),
    "UNSUPPORTED_MODEL",
    /layer \d+: its integers have a scale of .* re-encryption position/,
  );
  expectRefusal(attempt({ scheme: "bfv", signal: AbortSignal.abort() }), "ABORTED");
});
