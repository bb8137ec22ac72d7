import { beforeAll, describe, expect, test } from "vitest";
import { type CompileOptions, compile, loadTorch, runModel, type SourceModel } from "../../src/builder/index.ts";
import type { CrcnnError } from "../../src/errors/index.ts";
import { linearLayer, squareLayer } from "../../src/layers/index.ts";
import { type Layer, serializeManifest, type Tensor, tensor } from "../../src/plan/index.ts";
import { argmax, loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";

function modelOf(...layers: Layer[]): SourceModel {
  return { layers: layers.map((layer, index) => ({ position: String(index), index, layer })) };
}
const scaling = (factor: number): Layer => linearLayer({ weight: { shape: [2, 2], data: [factor, 0, 0, factor] } });

describe("misuse names the argument, its value and what it takes", () => {
  const model = modelOf(scaling(1));
  const pair = tensor([2], [0, 1]);
  test.each<[string, unknown, RegExp]>([
    ["no options", undefined, /^inputShape must be a list of sizes, as \[1, 28, 28\], got undefined/],
    ["a shape as text", { inputShape: "1x28" }, /^inputShape .* got 1x28/],
    ["an empty shape", { inputShape: [] }, /^inputShape must hold positive integers/],
    ["no rows", { inputShape: [0, 2] }, /^inputShape .* got \[0, 2\]/],
    ["a precision as text", { inputShape: [2], precision: "1e-3" }, /^precision must be a number/],
    ["a security that is not in the table", { inputShape: [2], security: 100 }, /^security must be 128, 192 or 256/],
    ["a range the wrong way round", { inputShape: [2], inputRange: [1, 0] }, /^inputRange .* got 1,0/],
    ["a range without end", { inputShape: [2], inputRange: [0, Infinity] }, /^inputRange must be two finite numbers/],
    ["no samples", { inputShape: [2], calibration: [] }, /^calibration must be a list of at least one/],
    ["a sample that is no tensor", { inputShape: [2], calibration: [pair, 1] }, /^calibration\[1\] must be a tensor/],
    [
      "a sample of another shape",
      { inputShape: [2], calibration: [tensor([1], [0])] },
      /^calibration\[0\] .* got 1 and/,
    ],
    [
      "a sample with too few values",
      { inputShape: [2], calibration: [{ shape: [2], data: new Float64Array(1) }] },
      /1 val/,
    ],
    ["a sample of no numbers", { inputShape: [2], calibration: [tensor([2], [0, NaN])] }, /^calibration.* 1 is NaN/],
    [
      "a position that is no list",
      { inputShape: [2], rencryptPositions: 1 },
      /^rencryptPositions must be a list .* got 1/,
    ],
    ["no input ciphertext", { inputShape: [2], inputCiphertexts: 0 }, /^inputCiphertexts must be a positive .* got 0/],
  ])("%s", (_, options, message) => {
    expect(() => compile(model, options as CompileOptions)).toThrow(message);
  });

  test("a model that is none, and a file's name for its bytes", () => {
    expect(() => compile({} as SourceModel, { inputShape: [2] })).toThrow(/^model must be a model as loadTorch/);
    expect(() => loadTorch("model.pt" as unknown as Uint8Array)).toThrow(/^bytes must be a Uint8Array/);
  });
});

/** Weights of very different sizes, so that no scale of the message suits them all. */
const mixing = linearLayer({ weight: { shape: [2, 2], data: [1e30, 1, 1, 1e-30] } });

describe("values that no precision or modulus fits are told as such", () => {
  test.each<[string, SourceModel, string, RegExp]>([
    ["weights of zero", modelOf(scaling(0)), "UNSUPPORTED_MODEL", /outputs are 0 for every .* check its weights/],
    ["weights of 1e200", modelOf(scaling(1e200), squareLayer()), "UNSUPPORTED_MODEL", /range of double precision/],
    [
      "weights from 1e-30 to 1e30",
      modelOf(mixing, squareLayer(), mixing, squareLayer()),
      "NO_PARAMETERS",
      /too large \(outputs reach \d\.\de\+\d+\)/,
    ],
  ])("%s", (_, model, code, message) => {
    expect(() => compile(model, { inputShape: [2] })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe("inputs outside of what the plan was made for are never answered wrongly", () => {
  let lenet: SourceModel;
  let digit: Tensor;
  beforeAll(() => {
    lenet = loadFixture("models/lenet1-square/lenet1-square.pt");
    digit = unbatch(readNpy("samples/mnist16.input.npy"))[0]!;
  });
  const times = (factor: number): Tensor => ({ ...digit, data: digit.data.map((value) => factor * value) });
  const codeOf = (error: CrcnnError): string => error.code;

  // At a factor of 3 a value wraps around the modulus and decrypts to another digit, with nothing wrong in its imaginary parts.
  test("scaled by any factor, a digit is refused", async () => {
    const network = compile(lenet, { inputShape: digit.shape });
    expect(network.manifest.segments[0]!.input.range).toEqual([0, 1]);
    for (const factor of [1.5, 3, 16, 255, 1e6, -1]) {
      expect(await runCompiled(network, [times(factor)]).then(() => factor, codeOf)).toBe("PRECISION_LOST");
    }
  });

  test("every input within the range is answered rightly, far from digits as it may be", async () => {
    const network = compile(lenet, { inputShape: digit.shape });
    const picture = (pixel: (y: number, x: number) => number): Tensor =>
      tensor(
        [1, 28, 28],
        Array.from({ length: 784 }, (_, i) => pixel(Math.floor(i / 28), i % 28)),
      );
    const inputs = [
      picture(() => 1),
      picture(() => 0),
      picture((y, x) => (x + y) % 2),
      picture((_, x) => Number(x % 6 < 3)),
      picture((y, x) => Number((x - y + 30) % 6 < 3)),
      { ...digit, data: digit.data.map((value) => 1 - value) },
    ];
    const { outputs } = await runCompiled(network, inputs);
    for (const [i, { data }] of outputs.entries()) {
      const expected = runModel(lenet, inputs[i]!).data;
      expect(argmax(data)).toBe(argmax(expected));
      const largest = Math.max(...expected.map(Math.abs));
      for (const [k, value] of data.entries()) expect(Math.abs(value - expected[k]!) / largest).toBeLessThan(3e-4);
    }
  });

  test("calibration inputs set the range, with a quarter of room on each side", async () => {
    const network = compile(modelOf(scaling(2)), { inputShape: [2], calibration: [tensor([2], [-2, 2])] });
    expect(network.manifest.segments[0]!.input.range).toEqual([-3, 3]);
    expect(await runCompiled(network, [tensor([2], [2.9, 0])]).then(() => "returned", codeOf)).toBe("returned");
    expect(await runCompiled(network, [tensor([2], [3.1, 0])]).then(() => "returned", codeOf)).toBe("PRECISION_LOST");
  });
});

test("the same model compiled twice gives the same manifest", () => {
  const text = (): string =>
    serializeManifest(compile(loadFixture("models/mlp/mlp.pt"), { inputShape: [1, 28, 28] }).manifest);
  expect(text()).toBe(text());
});
