import { Buffer } from "node:buffer";
import { afterAll, describe, expect, test } from "vitest";
import { compileElementwise, loadTorch, runModel, type SourceModel, selectLayers } from "../../src/builder/index.ts";
import {
  type ClientProgress,
  type ComputeConfig,
  type ComputeLayersOptions,
  computeLayers,
  parseClientConfig,
} from "../../src/client/index.ts";
import { refreshLayer } from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import type { Layer, Tensor } from "../../src/plan/index.ts";
import type { ComputeRequest } from "../../src/protocol/index.ts";
import { createApp, createInlineCompute } from "../../src/server/index.ts";
import { createElementwiseRunner } from "../../src/tester/index.ts";
import { affineNet } from "../helpers/affine-net.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { loadFixture } from "../server/wire.ts";

/** The example of PyCrCNN's documentation, to the letter. */
const EXAMPLE =
  '{ "address" : "http://127.0.0.1:5000/compute", "encryption_parameters" : [ { "m": 2048, "p": 13513511, "sec": 128, "base": 2 } ], "net" : "MNIST", "layers" : [0, 1, 2, 3] }';
const digit = unbatch(readNpy("samples/mnist16.input.npy"))[0]!;
/** Linear, Square, Linear. */
const square = loadFixture("variants/shared-layer.pt");
const vector: Tensor = { shape: [12], data: Float64Array.from({ length: 12 }, (_, i) => ((5 * i) % 12) / 12 - 0.4) };
const models = new Map<string, SourceModel>([
  ["affine", loadTorch(affineNet(), "affine.pt")],
  ["square", square],
  ["twice", loadFixture("variants/square-twice.pt")],
  ["refreshed", refreshed()],
]);
/** Linear, Refresh, Linear: a model that brings its position along. */
function refreshed(): SourceModel {
  const [first, , last] = square.layers.map(({ layer }) => layer) as [Layer, Layer, Layer];
  return { layers: [first, refreshLayer(), last].map((layer, index) => ({ index, position: `${index}`, layer })) };
}

const errors: unknown[] = [];
const app = createApp({
  compute: createInlineCompute({ models, aliases: { affine: ["MNIST"] } }),
  onError: (error) => errors.push(error),
});
afterAll(async () => {
  expect(errors).toEqual([]);
  await app.close();
});

function configOf(changes: object = {}, positions: readonly number[] = []): ComputeConfig {
  const config = parseClientConfig(EXAMPLE, "client.json");
  const encryptionParameters = { ...config.encryptionParameters, rencrypt_positions: positions };
  return { ...config, net: "square", layers: [0, 1, 2], encryptionParameters, ...changes };
}

interface Recorded {
  readonly url: string;
  readonly body: ComputeRequest | undefined;
}

/** The app's fetch, and what it was asked. */
function recording(): { readonly fetch: NonNullable<ComputeLayersOptions["fetch"]>; readonly asked: Recorded[] } {
  const asked: Recorded[] = [];
  return {
    asked,
    async fetch(request) {
      const text = await request.clone().text();
      asked.push({ url: request.url, body: text === "" ? undefined : (JSON.parse(text) as ComputeRequest) });
      return app.fetch(request);
    },
  };
}

/** With the key's owner beside the evaluator, as the tester runs it. */
async function runHere(model: SourceModel, config: ComputeConfig, input: Tensor): Promise<Tensor> {
  const { rencrypt_positions: rencryptPositions, ...encryptionParameters } = config.encryptionParameters;
  const options = { inputShape: input.shape, encryptionParameters, layers: config.layers, rencryptPositions };
  const compiled = compileElementwise(model, options);
  const owner = await createOwner({ scheme: "bfv", parameters: compiled.chosen.parameters });
  try {
    return await createElementwiseRunner(compiled, owner).run(input);
  } finally {
    owner.destroy();
  }
}

function expectClose(found: Tensor, wanted: Tensor): void {
  expect(found.shape).toEqual(wanted.shape);
  for (const [i, value] of wanted.data.entries()) expect(Math.abs(found.data[i]! - value)).toBeLessThan(1e-7);
}

describe("layers over the wire", () => {
  test("PyCrCNN's example as it stands, but for the model and the image", async () => {
    const config = parseClientConfig(EXAMPLE, "client.json");
    const { fetch, asked } = recording();
    const { output, rounds, bytes, milliseconds } = await computeLayers(config, digit, { fetch });
    const model = models.get("affine")!;
    expectClose(output, runModel(model, digit));
    // Noise is gone once it is rounded away: the same numbers as with the owner beside the evaluator, to the last bit.
    expect(output).toEqual(await runHere(model, config, digit));
    expect(rounds).toBe(1);
    expect(asked.map(({ url }) => url)).toEqual(["http://127.0.0.1:5000/models", config.address]);
    const { data, ...rest } = asked[1]!.body!;
    expect(rest).toEqual({
      encryption_parameters: { m: 2048, p: 13513511, sec: 128, base: 2 },
      net: "MNIST",
      layers: [0, 1, 2, 3],
      public_key: expect.any(String),
    });
    // A seed stands for half of each ciphertext.
    expect((data as string[][][])[0]![27]![27]).toHaveLength(18_160);
    expect(bytes.up).toBeGreaterThan(784 * 18_160);
    expect(bytes.down).toBeGreaterThan(10 * 36_208);
    for (const part of Object.values(milliseconds)) expect(part).toBeGreaterThan(0);
  });

  test("a square at a re-encryption position is the client's, and the numbers are those of the tester", async () => {
    const config = configOf({}, [1]);
    const { fetch, asked } = recording();
    const steps: string[] = [];
    const onProgress = ({ step, done }: ClientProgress): void => void steps.push(`${step} ${done}`);
    const { output, rounds } = await computeLayers(config, vector, { fetch, onProgress });
    expectClose(output, runModel(square, vector));
    expect(output).toEqual(await runHere(square, config, vector));
    expect(rounds).toBe(2);
    expect(asked.map(({ url, body }) => [url, body?.layers])).toEqual([
      ["http://127.0.0.1:5000/models", undefined],
      ["http://127.0.0.1:5000/compute", [0]],
      ["http://127.0.0.1:5000/compute", [2]],
    ]);
    // Encrypted afresh: with a seed, as the input was.
    expect((asked[2]!.body!.data as string[])[0]).toHaveLength(18_160);
    expect(steps).toEqual([
      ...["keys 0", "keys 1", "encrypt 0", "evaluate 0", "decrypt 0", "encrypt 1", "evaluate 1", "decrypt 1"],
      "decrypt 2",
    ]);
  });

  test("a model's own refresh is a position, too; the server does not do it", async () => {
    const config = configOf({ net: "refreshed" });
    const { output, rounds } = await computeLayers(config, vector, recording());
    expectClose(output, runModel(models.get("refreshed")!, vector));
    expect(output).toEqual(await runHere(models.get("refreshed")!, config, vector));
    expect(rounds).toBe(2);
    const { fetch, asked } = recording();
    await computeLayers(configOf({ net: "refreshed", layers: [0] }), vector, { fetch });
    const body = JSON.stringify({ ...asked[1]!.body!, layers: [0, 1, 2] });
    const response = await app.fetch(new Request("http://server/compute", { method: "POST", body }));
    expect(response.status).toBe(422);
    const failure = { code: "REFRESH_NEEDED", message: expect.stringMatching(/^layers: at layer 1 \(Refresh\)/) };
    expect(await response.json()).toEqual(failure);
  });

  test("a re-encryption without a square, squares alone, and layers in the middle", async () => {
    const refreshed = await computeLayers(configOf({ layers: [1, 2] }, [1, 2]), vector, recording());
    expectClose(refreshed.output, runModel(selectLayers(square, [1, 2]), vector));
    expect(refreshed.rounds).toBe(1);
    const affine = await computeLayers(configOf({ net: "affine", layers: [2, 3] }, [3]), digitFeatures(), recording());
    expectClose(affine.output, runModel(selectLayers(models.get("affine")!, [2, 3]), digitFeatures()));
    expect(affine.rounds).toBe(2);
    const { fetch, asked } = recording();
    const twice = await computeLayers(configOf({ net: "twice", layers: [0, 1] }, [0, 1]), vector, { fetch });
    expectClose(twice.output, runModel(models.get("twice")!, vector));
    expect([twice.rounds, asked.length]).toEqual([0, 1]);
  });

  test("parameters with a special prime: the key for relinearization goes along, the square stays with the server", async () => {
    const parameters = { m: 8192, p: 2 ** 30 - 2 ** 24 - 1, sec: 128, base: 2, rencrypt_positions: [] };
    const { fetch, asked } = recording();
    const { output } = await computeLayers(configOf({ encryptionParameters: parameters }), vector, { fetch });
    expectClose(output, runModel(square, vector));
    expect(asked[1]!.body!.evaluation_keys).toEqual(expect.any(String));
  });

  function digitFeatures(): Tensor {
    return { shape: [2, 6, 6], data: digit.data.slice(200, 272) };
  }
});

describe("what goes wrong", () => {
  test.each<[string, ComputeConfig, RegExp]>([
    ["a product without a budget", configOf(), /refused: layer 1 \(Square\).*re-encryption positions/],
    ["a layer too many", configOf({ layers: [2, 3] }), /layers must be numbers from 0 to 2/],
    ["another shape", configOf({ net: "affine", layers: [0] }), /layer 0 \(Conv2d\)/],
  ])("the server's reason is passed on: %s", async (_, config, reason) => {
    const failing = computeLayers(config, vector, recording());
    await expect(failing).rejects.toMatchObject({ code: "SERVER_REFUSED" });
    await expect(failing).rejects.toThrowError(reason);
  });

  test("an unknown net is found out before anything is encrypted", async () => {
    const { fetch, asked } = recording();
    const failing = computeLayers(configOf({ net: "VGG" }), vector, { fetch });
    await expect(failing).rejects.toMatchObject({ code: "UNKNOWN_MODEL" });
    await expect(failing).rejects.toThrowError(
      /net "VGG" is not served; there are: affine, MNIST, square, twice, refreshed/,
    );
    expect(asked).toHaveLength(1);
  });

  test("inputs that cannot be sent", async () => {
    const { fetch, asked } = recording();
    const huge = { shape: [3, 128, 128], data: new Float64Array(3 * 128 * 128) };
    await expect(computeLayers(configOf(), huge, { fetch })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    const wide = { shape: [1024], data: new Float64Array(1024) };
    const large = { m: 8192, p: 65537, sec: 128, base: 2, rencrypt_positions: [] };
    await expect(computeLayers(configOf({ encryptionParameters: large }), wide, { fetch })).rejects.toThrowError(
      /^a tensor of 1024 would be 1024 ciphertexts of \d{9} bytes together, .* 134217728 bytes are sent/,
    );
    const short = { shape: [12], data: new Float64Array(11) };
    await expect(computeLayers(configOf(), short, { fetch })).rejects.toThrowError(RangeError);
    const tooFar = { shape: [12], data: vector.data.with(3, 2 ** 70) };
    await expect(computeLayers(configOf(), tooFar, { fetch })).rejects.toMatchObject({ code: "VALUE_RANGE" });
    const nowhere = { shape: [12], data: vector.data.with(3, Number.NaN) };
    await expect(computeLayers(configOf(), nowhere, { fetch })).rejects.toThrowError(/NaN/);
    expect(asked.filter(({ body }) => body !== undefined)).toEqual([]);
  });

  test("cancelled before and while a request runs", async () => {
    const aborted = AbortSignal.abort();
    await expect(computeLayers(configOf(), vector, { signal: aborted })).rejects.toMatchObject({ code: "ABORTED" });
    const controller = new AbortController();
    const hanging = (request: Request): Promise<Response> => {
      if (request.method === "GET") return app.fetch(request);
      controller.abort();
      return new Promise((_, reject) => reject(request.signal.reason));
    };
    const failing = computeLayers(configOf(), vector, { fetch: hanging, signal: controller.signal });
    await expect(failing).rejects.toMatchObject({ code: "ABORTED" });
  });

  test.each<[string, (data: unknown) => unknown, string, RegExp]>([
    ["no JSON", () => "<html>", "INVALID_MESSAGE", /the server's answer is not JSON/],
    ["no data", () => "{}", "INVALID_MESSAGE", /^data must be an array/],
    ["nesting without an end", () => `{"data":${"[".repeat(1e6)}`, "LIMIT_EXCEEDED", /the server's answer has more/],
    ["no ciphertexts", () => '{"data":["AAAA"]}', "INVALID_MESSAGE", /^element 0 of data has 4 characters/],
    [
      "another p",
      (body) => JSON.stringify(body).replace(/"([\w+/]{18})[\w+/]/, (_, start) => `"${start}A`),
      "FOREIGN_OBJECT",
      /^element 0 of data: it was made under other/,
    ],
  ])("an answer with %s", async (_, change, code, reason) => {
    const fetch = async (request: Request): Promise<Response> => {
      const answer = await app.fetch(request);
      if (request.method === "GET") return answer;
      return new Response(change(await answer.json()) as string);
    };
    const failing = computeLayers(configOf({ layers: [0] }), vector, { fetch });
    await expect(failing).rejects.toMatchObject({ code });
    await expect(failing).rejects.toThrowError(reason);
  });

  /** What a server sends that wants to know whether decryption fails: the client must go on as if nothing were wrong. */
  test("values that are lost on the way do not show in what is sent next", async () => {
    const { fetch, asked } = recording();
    const spoiling = async (request: Request): Promise<Response> => {
      const first = request.url.endsWith("/compute") && asked.length === 1;
      const answer = await fetch(request);
      if (!first) return answer;
      const { data } = (await answer.json()) as { data: string[] };
      // The last residues of another element: a ciphertext of noise.
      const bytes = data.map((text) => Buffer.from(text, "base64"));
      bytes[0]!.set(bytes[1]!.subarray(-5000), bytes[0]!.length - 5000);
      return Response.json({ data: bytes.map((each) => each.toString("base64")) });
    };
    const failing = computeLayers(configOf({}, [1]), vector, { fetch: spoiling });
    await expect(failing).rejects.toMatchObject({ code: "PRECISION_LOST" });
    expect(asked.map(({ body }) => body?.layers)).toEqual([undefined, [0], [2]]);
    expect(asked[2]!.body!.data).toHaveLength(12);
  });
});
