import { describe, expect, test } from "vitest";
import { createDigitSystem, createFractionalEncoder } from "../../src/bfv/index.ts";
import {
  type CompiledElementwise,
  compile,
  compileElementwise,
  type ElementwiseOptions,
  runModel,
  type SourceModel,
} from "../../src/builder/index.ts";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import {
  createFractionalBatchOperations,
  createFractionalForecast,
  formatBatchPlan,
  type Layer,
  prepareBatchProgram,
  runBatch,
  type Tensor,
} from "../../src/plan/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { createElementwiseRunner, type Observation } from "../../src/tester/index.ts";
import { loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { numbers } from "../helpers/plans.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

/** PyCrCNN's own parameters. */
const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 } as const;
const digits = unbatch(readNpy("samples/mnist16.input.npy"));
const lenet = loadFixture("models/lenet1-square/lenet1-square.pt");

const next = numbers(11);
const values = (count: number): number[] => Array.from({ length: count }, () => next() / 2);
const weights = (...shape: number[]): { shape: number[]; data: number[] } => ({
  shape,
  data: values(shape.reduce((product, axis) => product * axis, 1)),
});
const modelOf = (...layers: Layer[]): SourceModel => ({
  layers: layers.map((layer, index) => ({ index, position: `${index}`, layer })),
});
/** Conv2d, Square, AvgPool2d, Flatten, Linear, Square. */
const small = modelOf(
  conv2dLayer({ weight: weights(2, 1, 3, 3), bias: { shape: [2], data: values(2) }, padding: 1, stride: 2 }),
  squareLayer(),
  avgPool2dLayer({ kernelSize: 2 }),
  flattenLayer(),
  linearLayer({ weight: weights(3, 2), bias: { shape: [3], data: values(3) } }),
  squareLayer(),
);
const image: Tensor = { shape: [1, 4, 4], data: Float64Array.from(values(16)) };
const smallOptions = { inputShape: [1, 4, 4], inputRange: [-1, 1] } as const;

interface Run {
  readonly output: Tensor;
  readonly observations: readonly Observation[];
  readonly compiled: CompiledElementwise;
}

/** Runs a network, and sees to it that nothing stays in the heap. */
async function run(model: SourceModel, options: ElementwiseOptions, input: Tensor): Promise<Run> {
  const compiled = compileElementwise(model, options);
  const owner = await createOwner({ scheme: "bfv", parameters: compiled.chosen.parameters });
  try {
    owner.addKeys(compiled.keys);
    const { heap } = owner.context.ring;
    const before = heap.usage().used;
    const observations: Observation[] = [];
    const runner = createElementwiseRunner(compiled, owner, {
      onObservation: (observation) => observations.push(observation),
    });
    const output = await runner.run(input);
    runner.free();
    expect(heap.usage().used).toBe(before);
    return { output, observations, compiled };
  } finally {
    owner.destroy();
  }
}

function largestError(left: Tensor, right: Tensor): number {
  expect(left.shape).toEqual(right.shape);
  return Math.max(...left.data.map((value, i) => Math.abs(value - right.data[i]!)));
}

describe("PyCrCNN's parameters, one ciphertext an element", () => {
  test("lenet1-square with its squares at the owner", async () => {
    const [input] = digits;
    const options = { inputShape: [1, 28, 28], inputRange: [0, 1], rencryptPositions: [1, 4] } as const;
    const { output, observations, compiled } = await run(lenet, { ...options, encryptionParameters: SEED }, input!);
    expect(largestError(output, runModel(lenet, input!))).toBeLessThan(1e-7);
    expect(compiled.segments.map(({ ownerSquares }) => ownerSquares)).toEqual([[], [1], [4]]);
    expect(compiled.keys.relinearization).toBe(false);
    const budgets = compiled.segments.flatMap(({ parts }) => parts.map(({ budget }) => budget));
    const measured = observations.filter(({ layer }) => [0, 3, 7].includes(layer!)).map(({ minNoise }) => minNoise);
    expect(measured).toHaveLength(3);
    for (const [i, budget] of budgets.entries()) {
      expect(budget).toBeGreaterThan(10);
      expect(measured[i]).toBeGreaterThanOrEqual(budget);
      expect(measured[i]).toBeLessThan(budget + 6);
    }
  });

  test("linear.pt", async () => {
    const model = loadFixture("models/linear/linear.pt");
    const [, input] = digits;
    const { output } = await run(model, { inputShape: input!.shape, encryptionParameters: SEED }, input!);
    expect(largestError(output, runModel(model, input!))).toBeLessThan(1e-7);
  });

  test("a product is refused before any key is made, with layer, budget and remedy", () => {
    const compileWith = (rencryptPositions: readonly number[]) => () =>
      compileElementwise(lenet, { inputShape: [1, 28, 28], encryptionParameters: SEED, rencryptPositions });
    expectRefusal(
      compileWith([]),
      "NO_PARAMETERS",
      /^layer 1 \(Square\): .* noise budget of -1\d\.\d bits \(before it: 19\.\d\) .* put 1 among the re-encryption positions.*larger m or a smaller p$/,
    );
    expectRefusal(compileWith([1]), "NO_PARAMETERS", /^layer 4 \(Square\)/);
    // One position too late.
    expectRefusal(compileWith([2, 4]), "NO_PARAMETERS", /^layer 1 \(Square\)/);
  });

  test("a range of layers, with what is unsupported outside of it", async () => {
    const relu = loadFixture("variants/act-relu.pt");
    const vector: Tensor = { shape: [12], data: Float64Array.from(values(12)) };
    const options = { inputShape: [12], encryptionParameters: SEED };
    const { output } = await run(relu, { ...options, layers: [0] }, vector);
    const [head] = relu.layers;
    expect(largestError(output, runModel({ layers: [head!] }, vector))).toBeLessThan(1e-8);
    expectRefusal(() => compileElementwise(relu, options), "UNSUPPORTED_LAYER", /ReLU/);
    expect(() => compileElementwise(lenet, { ...options, layers: [0, 2] })).toThrow(/ascending without a gap/);
    expect(() => compileElementwise(lenet, { ...options, inputShape: [1, 28, 28], rencryptPositions: [8] })).toThrow(
      /rencryptPositions must hold layer numbers from 0 to 7, got 8/,
    );
  });

  test("layers in the middle keep their numbers", async () => {
    const input: Tensor = { shape: [4, 12, 12], data: Float64Array.from(values(576)) };
    const options = { inputShape: [4, 12, 12], encryptionParameters: SEED, layers: [3, 4, 5], rencryptPositions: [4] };
    const { output, observations } = await run(lenet, { ...options, separateLayers: true }, input);
    expect(observations.map(({ layer }) => layer)).toEqual([undefined, 3, 4, 5]);
    const wanted = lenet.layers.slice(3, 6).reduce((tensor, { layer }) => layer.forward(tensor), input);
    expect(largestError(output, wanted)).toBeLessThan(1e-7);
  });
});

describe("other parameters", () => {
  const wanted = runModel(small, image);

  test("without a special prime a product keeps three components", async () => {
    const model = modelOf(squareLayer(), avgPool2dLayer({ kernelSize: 2 }));
    const encryptionParameters = { ...SEED, p: 1009 };
    const compiled = compileElementwise(model, { ...smallOptions, encryptionParameters });
    expect(compiled.chosen.relinearization).toBe(false);
    const owner = await createOwner({ scheme: "bfv", parameters: compiled.chosen.parameters });
    const plan = compiled.segments[0]!.parts[0]!.plan;
    const program = prepareBatchProgram(plan, createFractionalBatchOperations(plan, owner.evaluator, { base: 2 }));
    const encoder = createFractionalEncoder(owner.context);
    const results = runBatch(program, owner.encryptTensor(encoder, image).ciphertexts);
    expect(results.map(({ components }) => components.length)).toEqual([3, 3, 3, 3]);
    const output = owner.decryptTensor(encoder, { shape: [1, 2, 2], ciphertexts: results });
    expect(largestError(output, runModel(model, image))).toBeLessThan(1e-8);
    owner.destroy();
  });

  test("the owner sees what is behind each layer, and budgets no smaller than was said", async () => {
    const encryptionParameters = { m: 4096, p: 13513511, sec: 128, base: 2 };
    const options = { ...smallOptions, encryptionParameters, rencryptPositions: [4, 5] };
    const { output, observations, compiled } = await run(small, { ...options, separateLayers: true }, image);
    expect(largestError(output, wanted)).toBeLessThan(1e-7);
    expect(observations.map(({ layer }) => layer)).toEqual([undefined, 0, 1, 2, 3, 4, 5]);
    const layers = small.layers.map(({ layer }) => layer);
    let tensor = image;
    for (const { layer, values: seen, minNoise } of observations) {
      if (layer !== undefined) tensor = layers.shift()!.forward(tensor);
      expect(largestError(seen!, tensor)).toBeLessThan(1e-7);
      expect(minNoise).toBeGreaterThan(0);
    }
    const budgets = compiled.segments.flatMap(({ parts }) => parts);
    for (const {
      layers: [, last],
      budget,
    } of budgets) {
      const { minNoise } = observations.find(({ layer }) => layer === last)!;
      expect(minNoise).toBeGreaterThanOrEqual(budget);
      expect(minNoise).toBeLessThan(budget + 6);
    }
  });

  test.each([2, 3, 10])("relinearized where there is a special prime, in base %i", async (base) => {
    const encryptionParameters = { m: 8192, p: 2 ** 29 + 3, sec: 128, base };
    // Digits of larger bases leave room for fewer sums.
    const model = base === 2 ? small : modelOf(...[0, 1, 3].map((i) => small.layers[i]!.layer));
    const options = { ...smallOptions, encryptionParameters, rencryptPositions: base === 2 ? [5] : [] };
    const { output, compiled } = await run(model, { ...options, separateLayers: base !== 2 }, image);
    expect(compiled.keys.relinearization).toBe(true);
    const plans = compiled.segments.flatMap(({ parts }) => parts.map(({ plan }) => formatBatchPlan(plan)));
    expect(plans.join("\n")).toContain("relinearize");
    expect(largestError(output, runModel(model, image))).toBeLessThan(1e-6);
  });

  test("squares at two positions in a row, at the first layer and at the last", async () => {
    const model = modelOf(squareLayer(), squareLayer(), ...small.layers.slice(0, 2).map(({ layer }) => layer));
    const options = { ...smallOptions, encryptionParameters: SEED, rencryptPositions: [0, 1, 3] };
    const { output, observations, compiled } = await run(model, { ...options, separateLayers: true }, image);
    expect(compiled.segments.map(({ ownerSquares }) => ownerSquares)).toEqual([[0, 1], [3]]);
    expect(compiled.segments.map(({ parts }) => parts.map(({ layers }) => layers))).toEqual([[[2, 2]], []]);
    expect(observations.map(({ layer }) => layer)).toEqual([undefined, 0, 1, 2, 3]);
    expect(largestError(output, runModel(model, image))).toBeLessThan(1e-7);
  });

  test("values that could leave the plain modulus are refused", () => {
    const tight = { ...smallOptions, encryptionParameters: { ...SEED, p: 101 }, rencryptPositions: [1, 5] };
    expectRefusal(
      () => compileElementwise(small, tight),
      "VALUE_RANGE",
      /^layer 0 \(Conv2d\): coefficients may reach .*, p = 101 holds 50; take a larger p or m$/,
    );
    const deep = modelOf(...Array.from({ length: 9 }, () => squareLayer()));
    expectRefusal(
      () => compileElementwise(deep, { ...smallOptions, encryptionParameters: { ...SEED, m: 32768, p: 2 ** 29 + 3 } }),
      "VALUE_RANGE",
      /layer 2 \(Square\)/,
    );
  });

  test("inputs outside of the range that the network was compiled for are refused", async () => {
    const tall = { shape: image.shape, data: image.data.map((value, i) => (i === 3 ? 1.5 : value)) };
    const options = { ...smallOptions, encryptionParameters: SEED, rencryptPositions: [1, 5] };
    await expect(run(small, options, tall)).rejects.toThrow(/element 3 is 1\.5/);
  });

  test("what the forecast says of the polynomials holds, and is no empty word", async () => {
    const { chosen, segments } = compileElementwise(small, {
      ...smallOptions,
      encryptionParameters: { ...SEED, m: 4096 },
      rencryptPositions: [2],
    });
    const owner = await createOwner({ scheme: "bfv", parameters: chosen.parameters });
    const { degree } = owner.context.ring;
    const [{ parts }] = segments as [(typeof segments)[number]];
    const plan = parts[0]!.plan;
    const forecast = createFractionalForecast(chosen.parameters, 2, "symmetric");
    const state = plan.stages.reduce(forecast.follow, forecast.fresh(16, 1));
    const operations = createFractionalBatchOperations(plan, owner.evaluator, { base: 2 });
    const encoder = createFractionalEncoder(owner.context);
    // The largest inputs there are, with all digits.
    const full = 1 - 2 ** -32;
    const { ciphertexts } = owner.encryptTensor(encoder, { shape: [16], data: new Array(16).fill(full) });
    const results = runBatch(prepareBatchProgram(plan, operations), ciphertexts);
    let [largest, whole, fraction] = [0, 0, 0];
    for (const result of results) {
      const { coefficients, plainModulus } = owner.decrypt(result);
      for (const [i, coefficient] of coefficients.entries()) {
        if (coefficient === 0) continue;
        largest = Math.max(largest, Math.min(coefficient, plainModulus - coefficient));
        if (i < degree / 2) whole = Math.max(whole, i + 1);
        else fraction = Math.max(fraction, degree - i);
      }
    }
    results.forEach(freeCiphertext);
    owner.destroy();
    expect(largest).toBeLessThanOrEqual(state.largest);
    expect(largest).toBeGreaterThan(state.largest / 100);
    expect(whole).toBeLessThanOrEqual(state.whole);
    expect(fraction).toBeLessThanOrEqual(state.fraction);
    expect(fraction).toBeGreaterThan(state.fraction - 12);
  });

  test("weights are exact in the encoder", () => {
    const { segments } = compileElementwise(small, {
      ...smallOptions,
      encryptionParameters: { ...SEED, base: 3 },
      rencryptPositions: [1, 5],
    });
    const [stage] = segments[0]!.parts[0]!.plan.stages;
    if (stage?.op !== "affine") throw new Error("the first stage is no affine map");
    const system = createDigitSystem({ plainModulus: SEED.p }, 3, 40);
    expect(Math.log(stage.weightScale) / Math.log(3)).toBeCloseTo(
      Math.round(Math.log(stage.weightScale) / Math.log(3)),
    );
    for (const weight of stage.weight) {
      const sum = system.digitsOf(BigInt(weight))!.reduce((value, digit, i) => value + digit * 3 ** i, 0);
      expect(sum).toBe(weight);
    }
  });

  test("plans of other schemes and foreign ciphertexts are refused", async () => {
    const options = { ...smallOptions, encryptionParameters: SEED, rencryptPositions: [1, 5] };
    const { chosen, segments } = compileElementwise(small, options);
    const owner = await createOwner({ scheme: "bfv", parameters: chosen.parameters });
    const stranger = await createOwner({ scheme: "bfv", parameters: chosen.parameters });
    const plan = segments[0]!.parts[0]!.plan;
    const { plans } = compile(small, { inputShape: [1, 4, 4], inputRange: [-1, 1], objective: "throughput" });
    expectRefusal(
      () => createFractionalBatchOperations(plans[0]!, owner.evaluator, { base: 2 }),
      "UNSUPPORTED_MODEL",
      /compileElementwise/,
    );
    const program = prepareBatchProgram(plan, createFractionalBatchOperations(plan, owner.evaluator, { base: 2 }));
    const { ciphertexts } = stranger.encryptTensor(createFractionalEncoder(stranger.context), image);
    expectRefusal(() => runBatch(program, ciphertexts), "FOREIGN_OBJECT", /encryptTensor/);
    owner.destroy();
    stranger.destroy();
  });
});
