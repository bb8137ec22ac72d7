import { describe, expect, test } from "vitest";
import { compile, runModel, selectLayers } from "../../src/builder/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import { maximumModulusBits, modulusBits } from "../../src/rlwe/index.ts";
import { loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { expectTrainedNetwork, relativeError } from "../helpers/trained.ts";
import { type Variant, variants } from "../layers/support.ts";

describe("trained networks, compiled with nothing but the input's shape", () => {
  test.each(["lenet1-square", "tenseal-net", "lenet1-one-square", "cryptonets", "mlp", "linear"])(
    "%s: 16 of 16 images",
    (name) => expectTrainedNetwork(name, "mnist16"),
  );
});

describe("variants of layers and options", () => {
  /** Those that need not run, and do. */
  const EXTRA = new Set([
    ...[
      "conv1d",
      "conv-transpose",
      "adaptive-avgpool-none",
      "flatten-partial",
      "unflatten",
      "zeropad2d",
      "bare-linear",
      "bare-conv",
    ],
  ]);
  const runnable = variants.filter(({ name, expect: answer }) => answer === "must" || EXTRA.has(name));

  test("there are as many as were supplied", () => expect(runnable).toHaveLength(55));

  test.each(runnable.map((variant) => [variant.name, variant] as const))("%s", async (name, variant: Variant) => {
    const model = loadFixture(`variants/${name}.pt`);
    const inputs = unbatch(readNpy(`variants/${name}.input.npy`));
    const expected = unbatch(readNpy(`variants/${name}.output.npy`));
    const largest = 2 ** Math.ceil(Math.log2(Math.max(...inputs.flatMap(({ data }) => [...data].map(Math.abs)))));
    const network = compile(model, { inputShape: variant.input_shape!, inputRange: [-largest, largest] });
    const { outputs, owner } = await runCompiled(network, inputs);
    owner.destroy();
    for (const [i, output] of outputs.entries()) {
      expect(output.shape).toEqual(variant.output_shape);
      expect(relativeError(output.data, expected[i]!.data)).toBeLessThan(1e-3);
    }
  });
});

describe("compile", () => {
  const linear = loadFixture("models/linear/linear.pt");
  const mlp = loadFixture("models/mlp/mlp.pt");

  test("is deterministic: equal models get equal plans", () => {
    const hash = (): string => compile(linear, { inputShape: [1, 28, 28] }).manifest.segments[0]!.hash;
    expect(hash()).toBe(hash());
  });

  test("re-encryption positions split the network, and the result is the same", async () => {
    const network = compile(mlp, { inputShape: [1, 28, 28], rencryptPositions: [2, 3] });
    expect(network.plans).toHaveLength(3);
    const inputs = unbatch(readNpy("samples/mnist16.input.npy")).slice(0, 3);
    const { outputs } = await runCompiled(network, inputs);
    for (const [i, output] of outputs.entries()) {
      expect(relativeError(output.data, runModel(mlp, inputs[i]!).data)).toBeLessThan(1e-3);
    }
  });

  test.each([192, 256] as const)("%i bits of security are kept", (security) => {
    const { parameters } = compile(linear, { inputShape: [1, 28, 28], security }).manifest;
    const bits = modulusBits([...parameters.dataPrimes, ...parameters.specialPrimes]);
    expect(bits).toBeLessThanOrEqual(maximumModulusBits(parameters.ringDegree, security));
  });

  test("an input of the wrong size is an error that names the layer", () => {
    expect(() => compile(mlp, { inputShape: [1, 27, 28] })).toThrow(
      expect.objectContaining({ code: "SHAPE_MISMATCH", message: expect.stringMatching(/layer 1 \(Linear\).*756/s) }),
    );
  });

  test("values that leave the calibrated range are reported, not returned", async () => {
    const network = compile(mlp, { inputShape: [1, 28, 28] });
    const bright: Tensor = { shape: [1, 28, 28], data: new Float64Array(784).fill(1e4) };
    const code = await runCompiled(network, [bright]).then(
      () => "returned",
      (error: CrcnnError) => error.code,
    );
    expect(code).toBe("PRECISION_LOST");
  });

  test.each([3, 10, 1000])(
    "values %i times too large are noticed in the result itself, where nothing checked the input",
    async (times) => {
      const network = compile(mlp, { inputShape: [1, 28, 28] });
      const { range: _, ...input } = network.manifest.segments[0]!.input;
      const unchecked = {
        ...network,
        manifest: { ...network.manifest, segments: [{ ...network.manifest.segments[0]!, input }] },
      };
      const [digit] = unbatch(readNpy("samples/mnist16.input.npy"));
      const bright: Tensor = { shape: [1, 28, 28], data: digit!.data.map((value) => times * value) };
      const wanted = runModel(mlp, bright).data;
      const found = await runCompiled(unchecked, [bright]).then(
        ({ outputs }) => relativeError(outputs[0]!.data, wanted) < 1e-3,
        (error: CrcnnError) => error.code === "PRECISION_LOST",
      );
      // Right, or refused: never something else.
      expect(found).toBe(true);
    },
  );

  test("a fresh ciphertext is not taken for a result", async () => {
    const network = compile(linear, { inputShape: [1, 28, 28] });
    const owner = await createOwner(network.manifest);
    const segment = network.manifest.segments[0]!;
    const fresh = owner.encryptInput(segment, { shape: [1, 28, 28], data: new Float64Array(784) });
    const refusal = expect.objectContaining({ code: "INVALID_MESSAGE", message: expect.stringContaining("scale 2^") });
    expect(() => owner.decryptOutput(segment, fresh)).toThrow(refusal);
    expect(() => owner.decryptOutput(segment, [])).toThrow(expect.objectContaining({ code: "INVALID_MESSAGE" }));
  });

  test("an unsupported layer is named, and does not matter where it is left out", () => {
    const relu = loadFixture("variants/act-relu.pt");
    expect(() => compile(relu, { inputShape: [12] })).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_LAYER",
        message: expect.stringMatching(/act-relu\.pt: layer 1 \(ReLU\) .*polynomial.*client/),
      }),
    );
    expect(compile(selectLayers(relu, [0]), { inputShape: [12] }).plans).toHaveLength(1);
  });

  test("impossible wishes are refused", () => {
    expect(() => compile(linear, { inputShape: [1, 28, 28], precision: 0 })).toThrow(RangeError);
    expect(() => compile(linear, { inputShape: [1, 28, 28], precision: 1e-12 })).toThrow(
      expect.objectContaining({ code: "NO_PARAMETERS" }),
    );
    expect(() => compile(mlp, { inputShape: [1, 28, 28], rencryptPositions: [4] })).toThrow(/0 to 3, got 4/);
  });

  test("an aborted signal ends it", () => {
    expect(() => compile(mlp, { inputShape: [1, 28, 28], signal: AbortSignal.abort() })).toThrow(CrcnnError);
  });
});
