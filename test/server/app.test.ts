import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runModel } from "../../src/builder/index.ts";
import { deserializeCiphertexts, serializeCiphertexts } from "../../src/ckks/index.ts";
import type { KeyOwner } from "../../src/owner/index.ts";
import { evaluationKeyBytes, maximumCiphertextBytes, parseTiming, paths } from "../../src/protocol/index.ts";
import { serializeEvaluationKeys } from "../../src/rlwe/index.ts";
import { createApp, createInlineCompute } from "../../src/server/index.ts";
import {
  expectFailure,
  INPUT,
  INPUT_SHAPE,
  loadModels,
  makeKeys,
  openSession,
  type Planned,
  requestPlan,
  send,
  sendKeys,
  testApp,
} from "./wire.ts";

const app = testApp();
let planned: Planned;
let owner: KeyOwner;
let keys: Uint8Array<ArrayBuffer>;
let id: string;
let ciphertexts: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  planned = await requestPlan(app);
  ({ owner, keys } = await makeKeys(planned));
  id = await openSession(app, planned, keys);
  const inputs = owner.encryptInput(planned.manifest.segments[0]!, { shape: INPUT_SHAPE, data: INPUT });
  ciphertexts = serializeCiphertexts(owner.context, inputs);
});
afterAll(() => {
  expect(app.errors).toEqual([]);
  app.close();
});

test("health and models answer", async () => {
  expect(await (await send(app, "GET", paths.health())).text()).toBe("ok");
  expect(await (await send(app, "GET", paths.models())).json()).toEqual({
    models: [
      { name: "linear", layers: ["Linear"] },
      { name: "square", layers: ["Linear", "Square", "Linear"] },
    ],
  });
});

test("an encrypted input comes back as the encrypted output", async () => {
  const response = await send(app, "POST", paths.segment(id, 0), ciphertexts);
  expect(response.status).toBe(200);
  expect(parseTiming(response.headers.get("server-timing"))).toBeGreaterThan(0);
  const segment = planned.manifest.segments[0]!;
  const result = deserializeCiphertexts(
    owner.context,
    new Uint8Array(await response.arrayBuffer()),
    segment.outputCiphertexts,
  );
  const { data } = owner.decryptOutput(segment, result);
  const expected = runModel(loadModels().get("linear")!, { shape: INPUT_SHAPE, data: INPUT }).data;
  for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 4);
});

test("the sizes that both sides compute from the manifest are those of the messages", () => {
  const { manifest } = planned;
  expect(evaluationKeyBytes(manifest)).toBe(keys.length);
  const { input, inputLevel } = manifest.segments[0]!;
  const limit = maximumCiphertextBytes(manifest.parameters, input.ciphertexts, inputLevel);
  expect(ciphertexts.length).toBeLessThanOrEqual(limit);
  expect(ciphertexts.length).toBeGreaterThan(limit / 4);
});

test("the same request gets the same plan, without another compilation", async () => {
  const start = performance.now();
  expect((await requestPlan(app)).hash).toBe(planned.hash);
  expect(performance.now() - start).toBeLessThan(200);
});

describe("refusals", () => {
  test("paths and methods that are not there", async () => {
    await expectFailure(await send(app, "GET", "nothing"), 404, "NOT_FOUND", /GET \/nothing/);
    await expectFailure(await send(app, "PUT", paths.models(), "x"), 404, "NOT_FOUND");
  });

  test("plans", async () => {
    const plan = (body: string, model = "linear"): Promise<Response> => send(app, "POST", paths.plan(model), body);
    await expectFailure(
      await plan('{"inputShape":[12]}', "nothing"),
      404,
      "UNKNOWN_MODEL",
      /there are: linear, square/,
    );
    await expectFailure(await plan('{"inputShape":[12]}', "__proto__"), 404, "UNKNOWN_MODEL");
    await expectFailure(await plan("{"), 400, "INVALID_MESSAGE", /not JSON/);
    await expectFailure(await plan('{"inputShape":[13]}'), 422, "SHAPE_MISMATCH", /layer 0 \(Linear\).*13/);
    await expectFailure(await plan('{"inputShape":[12],"rencryptPositions":[7]}'), 400, "INVALID_MESSAGE", /got 7/);
    await expectFailure(await plan(`{"inputShape":[12]${" ".repeat(70_000)}}`), 413, "LIMIT_EXCEEDED", /65536/);
  });

  test("evaluation keys", async () => {
    await expectFailure(
      await sendKeys(app, { ...planned, hash: "0" }, keys),
      409,
      "FOREIGN_OBJECT",
      /ask for the plan again/,
    );
    await expectFailure(await sendKeys(app, { ...planned, model: "square" }, keys), 409, "FOREIGN_OBJECT");
    await expectFailure(await sendKeys(app, { ...planned, model: "nothing" }, keys), 404, "UNKNOWN_MODEL");
    await expectFailure(await send(app, "POST", "sessions", keys), 404, "UNKNOWN_MODEL");
    await expectFailure(await sendKeys(app, planned, new Uint8Array(0)), 400, "INVALID_MESSAGE");
    await expectFailure(
      await sendKeys(app, planned, keys.slice(0, keys.length - 1)),
      400,
      "INVALID_MESSAGE",
      /cut off/,
    );
    await expectFailure(await sendKeys(app, planned, new Uint8Array([...keys, 0])), 413, "LIMIT_EXCEEDED");
    await expectFailure(await sendKeys(app, planned, ciphertexts), 400, "INVALID_MESSAGE", /holds ciphertexts/);
    const damaged = keys.slice().fill(255, keys.length - 64);
    await expectFailure(await sendKeys(app, planned, damaged), 400, "INVALID_MESSAGE", /residue/);
    const none = serializeEvaluationKeys(owner.context, { relinearization: undefined, galois: new Map() });
    await expectFailure(await sendKeys(app, planned, none), 422, "MISSING_KEY", /rotations by/);
  });

  test("keys and ciphertexts of other parameters", async () => {
    const other = await requestPlan(app, "square", { rencryptPositions: [2] });
    expect(other.manifest.parameters).not.toEqual(planned.manifest.parameters);
    await expectFailure(await sendKeys(app, other, keys), 409, "FOREIGN_OBJECT", /other encryption parameters/);
  });

  test("segments", async () => {
    const segment = (n: number | string, body = ciphertexts, session = id): Promise<Response> =>
      send(app, "POST", `sessions/${session}/segments/${n}`, body);
    await expectFailure(await segment(0, ciphertexts, "nobody"), 404, "UNKNOWN_SESSION");
    await expectFailure(await segment(1), 400, "INVALID_MESSAGE", /0 to 0/);
    await expectFailure(await segment("x"), 400, "INVALID_MESSAGE");
    await expectFailure(await segment("-0"), 400, "INVALID_MESSAGE");
    await expectFailure(await segment(0, keys), 413, "LIMIT_EXCEEDED");
    await expectFailure(await segment(0, ciphertexts.slice(0, 100)), 400, "INVALID_MESSAGE", /cut off/);
    await expectFailure(await segment(0, keys.slice(0, 1000)), 400, "INVALID_MESSAGE", /holds evaluationKeys/);
    const [ciphertext] = deserializeCiphertexts(owner.context, ciphertexts, 1);
    const write = (...list: NonNullable<typeof ciphertext>[]): Uint8Array<ArrayBuffer> =>
      serializeCiphertexts(owner.context, list);
    await expectFailure(await segment(0, write()), 400, "INVALID_MESSAGE", /takes 1 ciphertexts, 0/);
    await expectFailure(await segment(0, write(ciphertext!, ciphertext!)), 400, "INVALID_MESSAGE", /at most 1/);
    await expectFailure(
      await segment(0, write({ ...ciphertext!, scale: 2 })),
      400,
      "INVALID_MESSAGE",
      /scale 2 was sent/,
    );
    const lower = owner.evaluator.operations.dropLevel(ciphertext!, 0);
    await expectFailure(await segment(0, write(lower)), 400, "INVALID_MESSAGE", /at level 0/);
  });

  test("garbage of any kind is a mistake of the client's, and the session survives it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(ciphertexts.length - 1), async (noise, at) => {
        const damaged = ciphertexts.slice();
        damaged.set(noise.subarray(0, damaged.length - at), at);
        for (const body of [new Uint8Array(noise), damaged]) {
          const { status } = await send(app, "POST", paths.segment(id, 0), body);
          // Other residues in the right places are another ciphertext: evaluated, to no avail.
          expect([200, 400, 409]).toContain(status);
        }
      }),
      { numRuns: 15 },
    );
    expect((await send(app, "POST", paths.segment(id, 0), ciphertexts)).status).toBe(200);
  });
});

describe("limits", () => {
  test("a body that declares too many bytes is not read", async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(1000));
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request(`http://server/${paths.segment(id, 0)}`, {
      method: "POST",
      body,
      headers: { "content-length": "1000000000" },
      duplex: "half",
    } as RequestInit);
    await expectFailure(await app.fetch(request), 413, "LIMIT_EXCEEDED");
    expect(pulled).toBe(0);
  });

  test("a body that declares nothing is counted, one that breaks off is refused", async () => {
    const post = (body: ReadableStream): Promise<Response> =>
      app.fetch(
        new Request(`http://server/${paths.segment(id, 0)}`, { method: "POST", body, duplex: "half" } as RequestInit),
      );
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(100_000)) });
    await expectFailure(await post(endless), 413, "LIMIT_EXCEEDED");
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("lost")) });
    await expectFailure(await post(broken), 400, "INVALID_MESSAGE", /broke off/);
  });

  test("there are no more sessions than allowed, uploads included; ended ones make room", async () => {
    const small = testApp({ sessions: 1 });
    const plan = await requestPlan(small);
    let release = (): void => {};
    const slow = new ReadableStream({
      start(controller) {
        release = () => {
          controller.enqueue(keys);
          controller.close();
        };
      },
    });
    const uploading = small.fetch(
      new Request(`http://server/${paths.sessions(plan.model, plan.hash)}`, {
        method: "POST",
        body: slow,
        duplex: "half",
      } as RequestInit),
    );
    const busy = await sendKeys(small, plan, keys);
    expect(busy.headers.get("retry-after")).toBe("60");
    await expectFailure(busy, 503, "BUSY", /1 sessions/);
    release();
    const { session } = (await (await uploading).json()) as { session: string };
    await expectFailure(await sendKeys(small, plan, keys), 503, "BUSY");
    expect((await send(small, "DELETE", paths.session(session))).status).toBe(204);
    await expectFailure(await send(small, "DELETE", paths.session(session)), 404, "UNKNOWN_SESSION");
    await expectFailure(await sendKeys(small, plan, keys.slice(0, 50)), 400, "INVALID_MESSAGE");
    expect((await sendKeys(small, plan, keys)).status).toBe(201);
    small.close();
  });

  test("a session that ends while its message comes in is not evaluated with keys that are gone", async () => {
    const session = await openSession(app, planned, keys);
    let finish = (): void => {};
    const slow = new ReadableStream({
      start(controller) {
        finish = () => {
          controller.enqueue(ciphertexts);
          controller.close();
        };
      },
    });
    const url = `http://server/${paths.segment(session, 0)}`;
    const running = app.fetch(new Request(url, { method: "POST", body: slow, duplex: "half" } as RequestInit));
    await send(app, "DELETE", paths.session(session));
    finish();
    await expectFailure(await running, 404, "UNKNOWN_SESSION");
  });

  test("a session that idles expires; one that is used does not", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const short = testApp({ idleMilliseconds: 1000 });
      const plan = await requestPlan(short);
      const session = await openSession(short, plan, keys);
      for (let i = 0; i < 3; i++) {
        vi.advanceTimersByTime(900);
        expect((await send(short, "POST", paths.segment(session, 0), ciphertexts)).status).toBe(200);
      }
      vi.advanceTimersByTime(1100);
      await expectFailure(
        await send(short, "POST", paths.segment(session, 0), ciphertexts),
        404,
        "UNKNOWN_SESSION",
        /expired/,
      );
    } finally {
      vi.useRealTimers();
    }
  });

  test("the plan that was not used for longest is forgotten, one with a session never", async () => {
    const small = testApp({ plans: 1 });
    const first = await requestPlan(small);
    const second = await requestPlan(small, "linear", { inputRange: [0, 2] });
    await expectFailure(await sendKeys(small, first, keys), 409, "FOREIGN_OBJECT");
    const session = await openSession(small, second, (await makeKeys(second)).keys);
    const body = JSON.stringify({ inputShape: INPUT_SHAPE });
    await expectFailure(await send(small, "POST", paths.plan("linear"), body), 503, "BUSY", /all 1 plans/);
    await send(small, "DELETE", paths.session(session));
    expect((await requestPlan(small)).hash).toBe(first.hash);
    small.close();
  });

  test("keys above the server's limit are refused by the manifest alone", async () => {
    const small = testApp({ keyBytes: 1000 });
    await expectFailure(await sendKeys(small, await requestPlan(small), keys), 413, "LIMIT_EXCEEDED", /takes 1000/);
  });

  test("a limit that is none is refused", () => {
    const compute = createInlineCompute({ models: new Map() });
    expect(() => createApp({ compute, limits: { sessions: 0 } })).toThrow(
      "limits.sessions must be a positive integer, got 0",
    );
  });
});

test("the server's own failures are told to its operator alone", async () => {
  const broken = testApp({}, new Map([["broken", { layers: [{ layer: { kind: "Broken" } } as never] }]]));
  const response = await send(broken, "POST", paths.plan("broken"), '{"inputShape":[1]}');
  await expectFailure(response, 500, "INTERNAL", /log/);
  expect(broken.errors).toHaveLength(1);
});

test("a request that was given up is not evaluated", async () => {
  const request = new Request(`http://server/${paths.segment(id, 0)}`, {
    method: "POST",
    body: ciphertexts,
    signal: AbortSignal.abort(),
  });
  expect((await app.fetch(request)).status).toBe(400);
});
