import { describe, expect, test, vi } from "vitest";
import { chooseSeedParameters, encryptBfv } from "../../src/bfv/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import { type ComputeRequest, encodeBase64, parseTiming } from "../../src/protocol/index.ts";
import { serializeEvaluationKeys, serializePublicKey } from "../../src/rlwe/index.ts";
import { computeLayers, type NetSource } from "../../src/server/elementwise/compute-layers.ts";
import { createBfvContexts } from "../../src/server/elementwise/contexts.ts";
import { type Compute, createApp, createInlineCompute } from "../../src/server/index.ts";
import {
  answerOf,
  decrypted,
  expectClose,
  input,
  LARGER,
  models,
  nested,
  openParties,
  partyOf,
  plain,
  requestOf,
  SEED,
  spoilt,
} from "./elementwise-party.ts";
import { expectFailure, INPUT, loadFixture, testApp } from "./wire.ts";

const { seed, larger, post } = await openParties();

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
