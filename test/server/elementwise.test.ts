import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  chooseSeedParameters,
  createFractionalEncoder,
  encryptBfv,
  type FractionalEncoder,
} from "../../src/bfv/index.ts";
import { type BfvOwner, createOwner, type EncryptedBfvTensor } from "../../src/owner/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import {
  type ComputeAnswer,
  type ComputeRequest,
  decodeCiphertexts,
  encodeBase64,
  encodeCiphertexts,
  flatten,
  type NestedStrings,
  parseTiming,
} from "../../src/protocol/index.ts";
import { serializeEvaluationKeys, serializePublicKey } from "../../src/rlwe/index.ts";
import { computeLayers, type NetSource } from "../../src/server/elementwise/compute-layers.ts";
import { createBfvContexts } from "../../src/server/elementwise/contexts.ts";
import { type Compute, createApp, createInlineCompute } from "../../src/server/index.ts";
import { expectFailure, INPUT, loadFixture, loadModels, send, testApp } from "./wire.ts";

const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 };
/** Has a special prime, so products are relinearized. */
const LARGER = { m: 8192, p: 2 ** 30 - 2 ** 24 - 1, sec: 128, base: 2 };
const input: Tensor = { shape: [12], data: INPUT };
const models = loadModels();

interface Party {
  readonly parameters: typeof SEED;
  readonly owner: BfvOwner;
  readonly encoder: FractionalEncoder;
}

async function partyOf(parameters: typeof SEED): Promise<Party> {
  const owner = await createOwner({ scheme: "bfv", parameters: chooseSeedParameters(parameters).parameters });
  return { parameters, owner, encoder: createFractionalEncoder(owner.context, { base: parameters.base }) };
}

function nested({ owner }: Party, tensor: EncryptedBfvTensor): NestedStrings {
  return encodeCiphertexts(owner.context, tensor);
}

const encrypted = (party: Party, tensor = input): NestedStrings =>
  nested(party, party.owner.encryptTensor(party.encoder, tensor));

function requestOf(party: Party, layers: readonly number[], changes: Partial<ComputeRequest> = {}): ComputeRequest {
  return { encryption_parameters: party.parameters, net: "square", layers, data: encrypted(party), ...changes };
}

function decrypted({ owner, encoder }: Party, { data }: ComputeAnswer): Tensor {
  const flat = flatten(data, "data", { axes: 4, elements: 100 });
  return owner.decryptTensor(encoder, decodeCiphertexts(owner.context, flat, "data", 9));
}

function plain(layers: readonly number[], tensor = input, net = "square"): Tensor {
  return layers.reduce((values, layer) => models.get(net)!.layers[layer]!.layer.forward(values), tensor);
}

function expectClose(found: Tensor, wanted: Tensor): void {
  expect(found.shape).toEqual(wanted.shape);
  for (const [i, value] of wanted.data.entries()) expect(Math.abs(found.data[i]! - value)).toBeLessThan(1e-7);
}

let seed: Party;
let larger: Party;
const app = testApp();
const post = (body: unknown, to = app): Promise<Response> =>
  send(to, "POST", "compute", typeof body === "string" ? body : JSON.stringify(body));

async function answerOf(response: Response): Promise<ComputeAnswer> {
  const text = await response.text();
  expect(response.status, text.slice(0, 300)).toBe(200);
  return JSON.parse(text) as ComputeAnswer;
}

beforeAll(async () => {
  seed = await partyOf(SEED);
  larger = await partyOf(LARGER);
});
afterAll(async () => {
  expect(app.errors).toEqual([]);
  await app.close();
  seed.owner.destroy();
  larger.owner.destroy();
});

describe("layers on ciphertexts that come with a request", () => {
  test("under PyCrCNN's parameters", async () => {
    const response = await post(requestOf(seed, [0]));
    expect(parseTiming(response.headers.get("server-timing"))).toBeGreaterThan(0);
    expect(response.headers.get("content-type")).toBe("application/json");
    expectClose(decrypted(seed, await answerOf(response)), plain([0]));
  });

  test("encrypted with the public key, which comes along, as does a list of one set of parameters", async () => {
    const { context } = seed.owner;
    const key = seed.owner.publicKey();
    const ciphertexts = Array.from(INPUT, (value) => encryptBfv(context, seed.encoder.encodeNumber(value), key));
    const request = {
      ...requestOf(seed, [0], { net: "linear", data: nested(seed, { shape: [12], ciphertexts }) }),
      public_key: encodeBase64(serializePublicKey(context, key)),
      encryption_parameters: [{ ...SEED, rencrypt_positions: [] }],
    };
    expectClose(decrypted(seed, await answerOf(await post(request))), plain([0], input, "linear"));
  });

  test("a product has to have a budget, for which the public key's noise is too much and the secret key's is not", async () => {
    const party = await partyOf({ ...SEED, p: 2 ** 17 + 1 });
    const { context } = party.owner;
    const key = party.owner.publicKey();
    const ciphertexts = Array.from(INPUT, (value) => encryptBfv(context, party.encoder.encodeNumber(value), key));
    const noisy = requestOf(party, [1], { data: nested(party, { shape: [12], ciphertexts }) });
    await expectFailure(await post(noisy), 422, "NO_PARAMETERS", /^layer 1 \(Square\): .* of -3\.\d bits/);
    expectClose(decrypted(party, await answerOf(await post(requestOf(party, [1])))), plain([1]));
    party.owner.destroy();
  });

  test("a product is relinearized with the key that comes along; the last one is not, and needs none", async () => {
    const { context, evaluationKeys } = larger.owner;
    larger.owner.addKeys({ relinearization: true });
    const evaluation_keys = encodeBase64(serializeEvaluationKeys(context, evaluationKeys));
    const all = await answerOf(await post(requestOf(larger, [0, 1, 2], { evaluation_keys })));
    expectClose(decrypted(larger, all), plain([0, 1, 2]));
    await expectFailure(await post(requestOf(larger, [0, 1, 2])), 422, "MISSING_KEY");
    const product = await answerOf(await post(requestOf(larger, [0, 1])));
    expectClose(decrypted(larger, product), plain([0, 1]));
  });

  test("what comes back can be sent on, as long as there is a budget", async () => {
    const { data } = await answerOf(await post(requestOf(larger, [0])));
    expectClose(decrypted(larger, await answerOf(await post(requestOf(larger, [1], { data })))), plain([0, 1]));
  });

  test("parameters may change from one request to the next", async () => {
    for (const party of [seed, larger, seed, larger]) {
      expectClose(decrypted(party, await answerOf(await post(requestOf(party, [0])))), plain([0]));
    }
  });
});

/** What a body may have wrong, beside what is said of it. */
const BROKEN: readonly [
  name: string,
  change: (body: ComputeRequest) => unknown,
  status: number,
  code: string,
  reason: RegExp,
][] = [
  ["no JSON", () => "{", 400, "INVALID_MESSAGE", /^the body is not JSON/],
  ["nothing", () => "", 400, "INVALID_MESSAGE", /^the body is not JSON/],
  ["no object", () => [], 400, "INVALID_MESSAGE", /^the body is not a JSON object/],
  ["nesting without an end", () => `{"data":${"[".repeat(1e6)}`, 413, "LIMIT_EXCEEDED", /^the body has more than/],
  [
    "a field too many",
    (body) => ({ ...body, layer: 1 }),
    400,
    "INVALID_MESSAGE",
    /^the field "layer" is unknown; there are encryption_parameters, net/,
  ],
  [
    "no parameters",
    ({ encryption_parameters: _, ...rest }) => rest,
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters is missing/,
  ],
  [
    "two sets",
    (body) => ({ ...body, encryption_parameters: [SEED, SEED] }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters must be one set/,
  ],
  [
    "no m",
    (body) => ({ ...body, encryption_parameters: { p: 7, sec: 128, base: 2 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters\.m is missing/,
  ],
  [
    "an m as text",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: "2048" } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters\.m must be an integer/,
  ],
  [
    "a wrong m",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: 2047 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: m must .* 2047/,
  ],
  [
    "a p that leaves no budget",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: 1024 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: p 13513511/,
  ],
  [
    "a weaker security",
    (body) => ({ ...body, encryption_parameters: { ...SEED, sec: 80 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: sec must/,
  ],
  [
    "a base of 1",
    (body) => ({ ...body, encryption_parameters: { ...SEED, base: 1 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: base must/,
  ],
  ["no net", ({ net: _, ...rest }) => rest, 400, "INVALID_MESSAGE", /^net is missing/],
  ["a net that is a number", (body) => ({ ...body, net: 7 }), 400, "INVALID_MESSAGE", /^net must be a model's name/],
  [
    "a net without an end",
    (body) => ({ ...body, net: "a".repeat(300) }),
    400,
    "INVALID_MESSAGE",
    /^net must be .* 256/,
  ],
  [
    "an unknown net",
    (body) => ({ ...body, net: "VGG" }),
    404,
    "UNKNOWN_MODEL",
    /^net "VGG" is not served; there are: linear, square/,
  ],
  ["an object's own names", (body) => ({ ...body, net: "__proto__" }), 404, "UNKNOWN_MODEL", /^net "__proto__"/],
  ["no layers", (body) => ({ ...body, layers: [] }), 400, "INVALID_MESSAGE", /^layers must be a list of 1 to/],
  ["layers as text", (body) => ({ ...body, layers: "0" }), 400, "INVALID_MESSAGE", /^layers must be a list/],
  [
    "a layer as text",
    (body) => ({ ...body, layers: [0, "1"] }),
    400,
    "INVALID_MESSAGE",
    /^layers\[1\] must be a layer's number/,
  ],
  [
    "a negative layer",
    (body) => ({ ...body, layers: [-1, 0] }),
    400,
    "INVALID_MESSAGE",
    /^layers\[0\] must be a layer's number/,
  ],
  ["a gap", (body) => ({ ...body, layers: [0, 2] }), 400, "INVALID_MESSAGE", /^layers must go from .* without a gap/],
  ["layers backwards", (body) => ({ ...body, layers: [1, 0] }), 400, "INVALID_MESSAGE", /^layers must go from/],
  [
    "a layer too many",
    (body) => ({ ...body, layers: [0, 1, 2, 3] }),
    400,
    "INVALID_MESSAGE",
    /^layers must be numbers from 0 to 2/,
  ],
  [
    "a product without a budget",
    (body) => ({ ...body, layers: [0, 1] }),
    422,
    "NO_PARAMETERS",
    /^layer 1 \(Square\): .* budget/,
  ],
  ["no data", ({ data: _, ...rest }) => rest, 400, "INVALID_MESSAGE", /^data must be an array/],
  [
    "data that is one string",
    (body) => ({ ...body, data: (body.data as string[])[0] }),
    400,
    "INVALID_MESSAGE",
    /^data must be an array/,
  ],
  ["empty data", (body) => ({ ...body, data: [] }), 400, "INVALID_MESSAGE", /^data is empty/],
  [
    "too many axes",
    (body) => ({ ...body, data: [[[[[body.data]]]]] }),
    400,
    "INVALID_MESSAGE",
    /^data has more than the 4 axes/,
  ],
  [
    "ragged data",
    (body) => ({ ...body, data: [body.data, (body.data as string[]).slice(1)] }),
    400,
    "INVALID_MESSAGE",
    /^data\[1\] has 11 entries/,
  ],
  [
    "data of another depth",
    (body) => ({ ...body, data: [...(body.data as string[]).slice(1), ["a"]] }),
    400,
    "INVALID_MESSAGE",
    /^data\[11\] must be a base64/,
  ],
  [
    "too many ciphertexts",
    (body) => ({ ...body, data: new Array(20_000).fill("") }),
    413,
    "LIMIT_EXCEEDED",
    /^data has 20000 ciphertexts, at most 16384/,
  ],
  [
    "another shape",
    (body) => ({ ...body, data: (body.data as string[]).slice(1) }),
    422,
    "SHAPE_MISMATCH",
    /^layer 0 \(Linear\).* 11/,
  ],
  [
    "a ciphertext cut off",
    (body) => ({ ...body, data: cut(body.data) }),
    400,
    "INVALID_MESSAGE",
    /^element 3 of data has 18156 characters, .* 18160 or 36208/,
  ],
  [
    "no base64",
    (body) => ({ ...body, data: spoilt(body.data) }),
    400,
    "INVALID_MESSAGE",
    /^element 3 of data must be base64/,
  ],
  [
    "a ciphertext of other parameters",
    (body) => ({ ...body, data: encrypted(larger) }),
    400,
    "INVALID_MESSAGE",
    /^element 0 of data has \d+ characters, a ciphertext of these/,
  ],
  [
    "another p of the same length",
    (body) => ({ ...body, encryption_parameters: { ...SEED, p: 13513513 } }),
    409,
    "FOREIGN_OBJECT",
    /^element 0 of data: it was made under other encryption parameters/,
  ],
  [
    "keys where there can be none",
    (body) => ({ ...body, evaluation_keys: "AAAA" }),
    400,
    "INVALID_MESSAGE",
    /^evaluation_keys cannot be/,
  ],
  ["a public key that is none", (body) => ({ ...body, public_key: "AAAA" }), 400, "INVALID_MESSAGE", /^public_key: /],
  [
    "a public key that is no base64",
    (body) => ({ ...body, public_key: "?" }),
    400,
    "INVALID_MESSAGE",
    /^public_key must be base64/,
  ],
  [
    "a public key that is a number",
    (body) => ({ ...body, public_key: 1 }),
    400,
    "INVALID_MESSAGE",
    /^public_key must be a base64/,
  ],
];

const changed = (data: NestedStrings, change: (text: string) => string): string[] =>
  (data as string[]).map((text, i) => (i === 3 ? change(text) : text));
const cut = (data: NestedStrings): string[] => changed(data, (text) => text.slice(4));
const spoilt = (data: NestedStrings): string[] => changed(data, (text) => `!${text.slice(1)}`);

describe("a broken body is one line that names the field", () => {
  test.each(BROKEN)("%s", async (_, change, status, code, reason) => {
    const body = change(requestOf(seed, [0]));
    await expectFailure(await post(body), status, code as never, reason);
  });

  test("evaluation keys of another length, of other parameters, or damaged", async () => {
    const { context, evaluationKeys } = larger.owner;
    larger.owner.addKeys({ relinearization: true, rows: [1] });
    const both = serializeEvaluationKeys(context, evaluationKeys);
    const one = serializeEvaluationKeys(context, { ...evaluationKeys, galois: new Map() });
    const galois = serializeEvaluationKeys(context, { ...evaluationKeys, relinearization: undefined });
    const damaged = one.slice().fill(255, one.length - 64);
    const foreign = one.slice();
    foreign[8] = 255 - foreign[8]!;
    const withKeys = (keys: Uint8Array): Promise<Response> =>
      post(requestOf(larger, [0, 1, 2], { evaluation_keys: encodeBase64(keys) }));
    await expectFailure(await withKeys(both), 400, "INVALID_MESSAGE", /^evaluation_keys has \d+ characters/);
    await expectFailure(await withKeys(galois), 422, "MISSING_KEY");
    await expectFailure(await withKeys(damaged), 400, "INVALID_MESSAGE", /^evaluation_keys: residue/);
    await expectFailure(await withKeys(foreign), 409, "FOREIGN_OBJECT", /^evaluation_keys: it was made/);
  });
});

describe("limits", () => {
  const wide = loadFixture("variants/linear-wide.pt");

  test("a body above the limit is not read, an answer above it is not computed", async () => {
    const request = requestOf(seed, [0], { net: "wide" });
    const { length } = JSON.stringify(request);
    const tight = testApp({ computeBytes: length - 1 }, new Map([["wide", wide]]));
    await expectFailure(
      await post(request, tight),
      413,
      "LIMIT_EXCEEDED",
      /^the body may have at most \d+ bytes; ask for/,
    );
    const fitting = testApp({ computeBytes: length }, new Map([["wide", wide]]));
    const reason = /^the answer would have 37 ciphertexts of 2 components in 13\d{5} bytes/;
    await expectFailure(await post(request, fitting), 413, "LIMIT_EXCEEDED", reason);
    const roomy = testApp({ computeBytes: 2_000_000 }, new Map([["wide", wide]]));
    expect((await answerOf(await post(request, roomy))).data).toHaveLength(37);
  });

  test("a request counts until its answer is read or given up, or it has failed", async () => {
    const limited = testApp({ computeRequests: 1 });
    const request = JSON.stringify(requestOf(seed, [0]));
    const busy = async (): Promise<void> => {
      const response = await post(request, limited);
      expect(response.headers.get("retry-after")).toBe("2");
      await expectFailure(response, 503, "BUSY", /works on 1 such requests/);
    };
    const first = await post(request, limited);
    await busy();
    expect(decrypted(seed, await answerOf(first)).shape).toEqual([12]);

    const second = await post(request, limited);
    await busy();
    await second.body!.cancel();
    await expectFailure(await post("{", limited), 400, "INVALID_MESSAGE");
    await answerOf(await post(request, limited));
  });

  test("an answer that nobody goes on reading is given up", async () => {
    const bytes = new Uint8Array(3 * 2 ** 20);
    const compute: Compute = {
      ...createInlineCompute({ models }),
      computeLayers: async () => ({ bytes, milliseconds: 1 }),
    };
    const limits = { computeRequests: 1, idleMilliseconds: 50 };
    const limited = createApp({ compute, limits });
    const request = new Request("http://server/compute", { method: "POST", body: "{}" });
    const response = await limited.fetch(request.clone());
    const reader = response.body!.getReader();
    expect((await reader.read()).value).toHaveLength(2 ** 20);
    await expectFailure(await limited.fetch(request.clone()), 503, "BUSY");
    await vi.waitFor(async () => expect((await limited.fetch(request.clone())).status).toBe(200));
    await expect(reader.read()).rejects.toThrow(/not read/);
  });

  test("names are found by alias, and in any case where that leaves one", async () => {
    const compute = createInlineCompute({ models, aliases: { linear: ["MNIST"], square: ["Linear"] } });
    const named = { ...testApp(), ...createApp({ compute }) };
    const kinds = async (net: string): Promise<Tensor> => {
      return decrypted(seed, await answerOf(await post(requestOf(seed, [0], { net }), named)));
    };
    expectClose(await kinds("MNIST"), plain([0], input, "linear"));
    expectClose(await kinds("mnist"), plain([0], input, "linear"));
    expectClose(await kinds("Linear"), plain([0], input, "square"));
    await expectFailure(
      await post(requestOf(seed, [0], { net: "LINEAR" }), named),
      404,
      "UNKNOWN_MODEL",
      /more than one/,
    );
  });
});

describe("memory", () => {
  const nets: NetSource[] = Array.from(models, ([name, model]) => ({
    summary: { name, layers: [] },
    load: () => model,
  }));
  const bytesOf = (request: ComputeRequest): Uint8Array => new TextEncoder().encode(JSON.stringify(request));
  /** Becomes aborted when it has been asked so often. */
  const abortedAfter = (asked: number): { readonly aborted: boolean; readonly asked: () => number } => {
    let count = 0;
    return {
      get aborted() {
        count++;
        return count > asked;
      },
      asked: () => count,
    };
  };

  test("all of it is given back, wherever a request ends", () => {
    larger.owner.addKeys({ relinearization: true });
    const { context, evaluationKeys } = larger.owner;
    const evaluation_keys = encodeBase64(serializeEvaluationKeys(context, { ...evaluationKeys, galois: new Map() }));
    const request = requestOf(larger, [0, 1, 2], { evaluation_keys });
    const contexts = createBfvContexts(2 ** 30);
    const run = (body: ComputeRequest, signal: { readonly aborted: boolean }): unknown =>
      computeLayers(bytesOf(body), { nets, contexts, answerBytes: 2 ** 27, signal });
    const never = abortedAfter(Number.POSITIVE_INFINITY);
    run(request, never);
    const { heap } = contexts.contextFor(chooseSeedParameters(LARGER).parameters).ring;
    const before = heap.usage().used;
    run(request, never);
    expect(heap.usage().used).toBe(before);
    // It was asked as often in each of two runs.
    const places = [0, 1, 0.3, 0.6, 0.95].map((part) => (part < 1 ? Math.floor((part * never.asked()) / 2) : 1));
    for (const asked of places) {
      expect(() => run(request, abortedAfter(asked))).toThrowError(expect.objectContaining({ code: "ABORTED" }));
      expect(heap.usage().used).toBe(before);
    }
    const { evaluation_keys: _, ...withoutKeys } = request;
    expect(() => run(withoutKeys, never)).toThrowError(expect.objectContaining({ code: "MISSING_KEY" }));
    expect(() => run({ ...request, data: spoilt(request.data) }, never)).toThrowError(/element 3/);
    expect(() => run({ ...request, public_key: "AAAA" }, never)).toThrowError(/public_key/);
    expect(heap.usage().used).toBe(before);
  });

  test("no context is made for ciphertexts that cannot be, however large the parameters that are claimed", () => {
    const contexts = { contextFor: (): never => expect.fail("a context was made"), trim: () => {} };
    const signal = abortedAfter(Number.POSITIVE_INFINITY);
    const run = (changes: Partial<ComputeRequest>): unknown =>
      computeLayers(bytesOf(requestOf(seed, [0], changes)), { nets, contexts, answerBytes: 2 ** 27, signal });
    expect(() => run({ encryption_parameters: { ...SEED, m: 65536 } })).toThrowError(/^element 0 of data has 18160/);
    expect(() => run({ net: "none" })).toThrowError(/^net "none"/);
    expect(() => run({ layers: [0, 1] })).toThrowError(/^layer 1 \(Square\)/);
    expect(() => run({ evaluation_keys: "AAAA" })).toThrowError(/^evaluation_keys/);
  });

  test("one heap for one set of parameters, given up when it has grown", () => {
    const contexts = createBfvContexts(2 ** 20);
    const [first, second] = [SEED, LARGER].map((each) => chooseSeedParameters(each).parameters);
    const context = contexts.contextFor(first!);
    expect(contexts.contextFor({ ...first! })).toBe(context);
    expect(contexts.contextFor(second!)).not.toBe(context);
    expect(contexts.contextFor(first!)).not.toBe(context);
    const again = contexts.contextFor(first!);
    contexts.trim();
    expect(contexts.contextFor(first!)).not.toBe(again);
    const roomy = createBfvContexts(2 ** 30);
    const kept = roomy.contextFor(first!);
    roomy.trim();
    expect(roomy.contextFor(first!)).toBe(kept);
  });
});
