import { beforeAll, describe, expect, test, vi } from "vitest";
import { buildFromPytorch, runModel, type SourceModel, selectLayers } from "../../src/builder/index.ts";
import {
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  batchNorm1d,
  batchNorm2d,
  type CallableLayer,
  conv1d,
  conv2d,
  identity,
  linear,
  square,
  unflatten,
  zeroPad2d,
} from "../../src/layers/index.ts";
import { findNttPrimes } from "../../src/math/index.ts";
import { createOwner, type KeyOwner } from "../../src/owner/index.ts";
import { type EncryptedTensor, type Evaluator, MissingKeysError, type Tensor, tensor } from "../../src/plan/index.ts";
import { loadFixture } from "../helpers/encrypted.ts";
import { numbers } from "../helpers/plans.ts";

/** Runs something that needs keys, making those that it asks for; returns its result and how often it asked. */
function withKeys<T>(owner: KeyOwner, run: () => T): { result: T; asked: number } {
  for (let asked = 0; ; asked++) {
    try {
      return { result: run(), asked };
    } catch (error) {
      if (!(error instanceof MissingKeysError) || asked > 20) throw error;
      owner.addKeys(error.demand);
    }
  }
}

const difference = (left: Tensor, right: Tensor): number =>
  Math.max(...left.data.map((value, i) => Math.abs(value - right.data[i]!))) / Math.max(...right.data.map(Math.abs));

let owner: KeyOwner;

beforeAll(async () => {
  const primes = findNttPrimes(2048, new Array(10).fill(30));
  owner = await createOwner({
    scheme: "ckks",
    parameters: {
      ringDegree: 2048,
      dataPrimes: primes.slice(1),
      specialPrimes: primes.slice(0, 1),
      security: "insecure",
    },
  });
});

describe("callable layers", () => {
  const next = numbers(5);
  const random = (...shape: number[]): Tensor =>
    tensor(shape, Array.from({ length: shape.reduce((a, b) => a * b) }, next));

  test("conv, square, pool and linear one after the other equal the same layers in the clear", () => {
    const he = owner.evaluator;
    const conv = conv2d(he, { weight: random(3, 2, 3, 3), bias: random(3), stride: 1, padding: 1 });
    const act = square(he);
    const pool = avgPool2d(he, { kernelSize: 2 });
    const head = linear(he, { weight: random(4, 5), bias: random(4) });
    const layers = [conv, act, pool, head];
    const input = random(2, 8, 10);
    const wanted = layers.reduce((x, layer) => layer.forward(x), input);
    const { result, asked } = withKeys(owner, () =>
      layers.reduce<EncryptedTensor>((x, layer) => layer(x), owner.encryptTensor(input)),
    );
    expect(result.shape).toEqual([3, 4, 4]);
    expect(difference(owner.decryptTensor(result), wanted)).toBeLessThan(1e-3);
    // Each layer asks once, for all its keys.
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(layers.length);
    expect(conv.kind).toBe("Conv2d");
    expect(conv.outputShape([2, 8, 10])).toEqual([3, 8, 10]);
  });

  const channels = (...values: number[]): Tensor => tensor([values.length], values);
  const statistics = { runningMean: channels(0.1, -0.2), runningVar: channels(0.5, 2), weight: channels(-1, 1.5) };

  test.each<[string, readonly number[], (he: Evaluator) => CallableLayer]>([
    ["BatchNorm2d", [2, 5, 6], (he) => batchNorm2d(he, statistics)],
    ["BatchNorm1d", [2, 7], (he) => batchNorm1d(he, { ...statistics, bias: channels(1, 2) })],
    ["ZeroPad2d", [2, 5, 6], (he) => zeroPad2d(he, [1, 2, 0, 3])],
    ["ZeroPad2d that crops", [2, 5, 6], (he) => zeroPad2d(he, -1)],
    ["AdaptiveAvgPool2d with windows that overlap", [2, 5, 6], (he) => adaptiveAvgPool2d(he, [3, 4])],
    ["AdaptiveAvgPool2d that enlarges", [1, 3, 2], (he) => adaptiveAvgPool2d(he, [5, 3])],
    ["AvgPool1d", [3, 8], (he) => avgPool1d(he, { kernelSize: 3, stride: 2, padding: 1 })],
    ["Conv1d", [2, 9], (he) => conv1d(he, { weight: random(4, 2, 3), bias: random(4), padding: "same", dilation: 2 })],
    ["Unflatten", [12], (he) => unflatten(he, { dim: 1, unflattenedSize: [3, -1] })],
    ["Identity", [2, 3, 4], (he) => identity(he, "Dropout2d")],
  ])("%s, encrypted, equals itself in the clear", (_, shape, make) => {
    const layer = make(owner.evaluator);
    const input = random(...shape);
    const wanted = layer.forward(input);
    const { result } = withKeys(owner, () => layer(owner.encryptTensor(input)));
    expect(result.shape).toEqual(wanted.shape);
    expect(difference(owner.decryptTensor(result), wanted)).toBeLessThan(1e-3);
  });

  test("Identity and Unflatten take no level", () => {
    const x = owner.encryptTensor(random(12));
    const kept = unflatten(owner.evaluator, { dim: 1, unflattenedSize: [3, 4] })(identity(owner.evaluator)(x));
    expect(kept.ciphertexts[0]!.level).toBe(x.ciphertexts[0]!.level);
  });

  test("a layer refuses a tensor of the wrong shape, and one without levels left", () => {
    const head = linear(owner.evaluator, { weight: random(4, 5) });
    expect(() => head(owner.encryptTensor(random(6)))).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
    const x = owner.encryptTensor(random(5));
    const low = { ...x, ciphertexts: x.ciphertexts.map((c) => owner.evaluator.operations.dropLevel(c, 0)) };
    const act = square(owner.evaluator);
    expect(() => withKeys(owner, () => act(act(low)))).toThrow(
      expect.objectContaining({ code: "LEVEL_EXHAUSTED", message: expect.stringMatching(/Square .*level 0.*refresh/) }),
    );
  });

  test("tensors of any number of axes keep their shape, over several ciphertexts", () => {
    for (const shape of [[1], [7], [3, 5], [2, 3, 4, 5], [3, 20, 30]]) {
      const x = random(...shape);
      const encrypted = owner.encryptTensor(x);
      expect(encrypted.ciphertexts).toHaveLength(Math.ceil(x.data.length / 1024));
      const decrypted = owner.decryptTensor(encrypted);
      expect(decrypted.shape).toEqual(shape);
      expect(difference(decrypted, x)).toBeLessThan(1e-4);
      expect(owner.encodeTensor(x)).toHaveLength(encrypted.ciphertexts.length);
    }
  });
});

describe("buildFromPytorch", () => {
  const model: SourceModel = loadFixture("variants/nested-sequential.pt");
  const input = tensor([4, 9, 11], Array.from({ length: 396 }, numbers(8)));

  test("is a list of layers and a function; called as a whole it equals the model", () => {
    const net = buildFromPytorch(owner.evaluator, model);
    expect([...net].map(({ kind }) => kind)).toEqual(["Conv2d", "Square", "AvgPool2d", "Flatten", "Linear"]);
    const { result, asked } = withKeys(owner, () => net(owner.encryptTensor(input)));
    expect(asked).toBeLessThanOrEqual(1);
    expect(difference(owner.decryptTensor(result), runModel(model, input))).toBeLessThan(1e-3);
  });

  test("layers around one that is unsupported can be called", () => {
    const relu = loadFixture("variants/act-relu.pt");
    const vector = tensor([12], Array.from({ length: 12 }, numbers(9)));
    const [head, activation] = buildFromPytorch(owner.evaluator, relu).layers;
    const { result } = withKeys(owner, () => head!(owner.encryptTensor(vector)));
    const front = selectLayers(relu, [0]);
    const wanted = runModel(front, vector);
    expect(difference(owner.decryptTensor(result), wanted)).toBeLessThan(1e-3);
    const unsupported = expect.objectContaining({ code: "UNSUPPORTED_LAYER" });
    expect(() => activation!(result)).toThrow(unsupported);
    expect(() => buildFromPytorch(owner.evaluator, relu)(owner.encryptTensor(vector))).toThrow(unsupported);
    const whole = withKeys(owner, () => buildFromPytorch(owner.evaluator, front)(owner.encryptTensor(vector)));
    expect(difference(owner.decryptTensor(whole.result), wanted)).toBeLessThan(1e-3);
  });

  test("selected layers keep their numbers as re-encryption positions", () => {
    const tail = selectLayers(model, [2, 3, 4]);
    const net = buildFromPytorch(owner.evaluator, tail, { rencryptPositions: [2, 4] });
    // Before its first layer nothing needs to be encrypted afresh.
    expect(net.rencryptPositions).toEqual([4]);
    expect(() => buildFromPytorch(owner.evaluator, tail, { rencryptPositions: [1] })).toThrow(/from 2 to 4, got 1/);
    const inner = tensor([3, 7, 9], Array.from({ length: 189 }, numbers(3)));
    const { result } = withKeys(owner, () => net(owner.encryptTensor(inner), { refresh: owner }));
    expect(difference(owner.decryptTensor(result), runModel(tail, inner))).toBeLessThan(1e-3);
  });

  test("layers called one by one give the same result", () => {
    const net = buildFromPytorch(owner.evaluator, model);
    const { result } = withKeys(owner, () =>
      [...net].reduce<EncryptedTensor>((x, layer) => layer(x), owner.encryptTensor(input)),
    );
    expect(difference(owner.decryptTensor(result), runModel(model, input))).toBeLessThan(1e-3);
  });

  test("a second image costs no second lowering: weights are encoded once", () => {
    const net = buildFromPytorch(owner.evaluator, model, { rencryptPositions: [1] });
    const refresh = owner;
    withKeys(owner, () => net(owner.encryptTensor(input), { refresh }));
    const encrypted = owner.encryptTensor(input);
    const encode = vi.spyOn(owner.evaluator.encoder, "encode");
    const result = net(encrypted, { refresh });
    // One plaintext for the refresh's encryption, none for weights.
    expect(encode).toHaveBeenCalledTimes(1);
    encode.mockRestore();
    expect(difference(owner.decryptTensor(result), runModel(model, input))).toBeLessThan(1e-3);
  });

  test("positions refresh before those layers, through the owner alone", () => {
    const net = buildFromPytorch(owner.evaluator, model, { rencryptPositions: [1, 4] });
    expect(net.rencryptPositions).toEqual([1, 4]);
    expect(() => net(owner.encryptTensor(input))).toThrow(
      expect.objectContaining({ code: "REFRESH_NEEDED", message: expect.stringContaining("1, 4") }),
    );
    const refreshed: number[][] = [];
    const refresh = {
      refresh(x: EncryptedTensor, layout?: EncryptedTensor["layout"]): EncryptedTensor {
        refreshed.push([...x.shape]);
        return owner.refresh(x, layout);
      },
    };
    const { result } = withKeys(owner, () => {
      refreshed.length = 0;
      return net(owner.encryptTensor(input), { refresh });
    });
    expect(refreshed).toEqual([[3, 7, 9], [36]]);
    expect(difference(owner.decryptTensor(result), runModel(model, input))).toBeLessThan(1e-3);
    expect(() => buildFromPytorch(owner.evaluator, model, { rencryptPositions: [5] })).toThrow(RangeError);
  });
});
