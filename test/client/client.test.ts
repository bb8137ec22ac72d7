import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runModel } from "../../src/builder/index.ts";
import { type Client, type ClientOptions, type ClientProgress, createClient } from "../../src/client/index.ts";
import { CrcnnError, type ErrorCode } from "../../src/errors/index.ts";
import { ServerRefusedError } from "../../src/protocol/index.ts";
import { HEADER_BYTES } from "../../src/rlwe/index.ts";
import { INPUT, INPUT_SHAPE, loadFixture, loadModels, testApp } from "../server/wire.ts";

const app = testApp();
const SERVER = "http://server/below/a/prefix";
const input = { shape: INPUT_SHAPE, data: INPUT };

/** What passes between client and server may be looked at and changed on its way. */
type Tamper = (path: string, response: Response) => Response | Promise<Response>;

function clientOf(options: Partial<ClientOptions> = {}, tamper: Tamper = (_, response) => response): Client {
  return createClient({
    server: SERVER,
    async fetch(request) {
      const path = request.url.slice(SERVER.length);
      return tamper(path, await app.fetch(new Request(`http://server${path}`, request)));
    },
    ...options,
  });
}

async function expectError(promise: Promise<unknown>, code: ErrorCode, reason: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CrcnnError);
  expect((error as CrcnnError).code, (error as CrcnnError).message).toBe(code);
  expect((error as CrcnnError).message).toMatch(reason);
  expect((error as CrcnnError).message).not.toContain("\n");
}

beforeAll(() => expect(loadModels().size).toBe(2));
afterAll(() => {
  expect(app.errors).toEqual([]);
  app.close();
});

test("models, session, logits, figures and the end of it", async () => {
  const seen: ClientProgress[] = [];
  const client = clientOf({ onProgress: (progress) => seen.push(progress) });
  expect(await client.models()).toHaveLength(2);
  const session = await client.open("linear", { inputShape: INPUT_SHAPE, inputRange: [0, 1] });
  const { bytes, milliseconds, logits } = await session.classify(input);
  const expected = runModel(loadModels().get("linear")!, input).data;
  for (const [i, value] of expected.entries()) expect(logits.data[i]).toBeCloseTo(value, 4);
  expect(bytes.up).toBeGreaterThan(10_000);
  expect(bytes.down).toBeGreaterThan(10_000);
  expect(session.setup.bytes.up).toBeGreaterThan(100_000);
  for (const part of [...Object.values(milliseconds), ...Object.values(session.setup.milliseconds)]) {
    expect(part).toBeGreaterThan(0);
  }
  expect([...new Set(seen.map(({ step }) => step))]).toEqual([
    "plan",
    "keys",
    "upload",
    "encrypt",
    "evaluate",
    "decrypt",
  ]);
  const keys = seen.filter(({ step }) => step === "keys");
  expect(keys.map(({ done }) => done)).toEqual(keys.map((_, i) => i + 1));
  expect(keys.at(-1)?.done).toBe(session.manifest.keys.rotations.length);
  await session.close();
  await session.close();
  await expect(session.classify(input)).rejects.toThrow("the session is closed");
});

test("a network with a re-encryption runs in two rounds", async () => {
  const rounds: string[] = [];
  const client = clientOf({}, (path, response) => {
    if (path.includes("/segments/")) rounds.push(path.split("/segments/")[1] as string);
    return response;
  });
  const session = await client.open("square", { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  const { logits } = await session.classify(input);
  const expected = runModel(loadModels().get("square")!, input).data;
  const largest = Math.max(...expected.map(Math.abs));
  for (const [i, value] of expected.entries()) expect(Math.abs(logits.data[i]! - value)).toBeLessThan(1e-3 * largest);
  expect(rounds).toEqual(["0", "1"]);
  await session.close();
});

describe("activations that the client applies", () => {
  const gelu = loadFixture("variants/act-gelu.pt");
  const server = testApp({}, new Map([["gelu", gelu]]));
  const rounds: [path: string, body: string][] = [];
  const clientFor = (change = (text: string) => text): Client =>
    createClient({
      server: SERVER,
      async fetch(request) {
        const path = request.url.slice(SERVER.length);
        rounds.push([path, path.endsWith("/plan") ? await request.clone().text() : ""]);
        const response = await server.fetch(new Request(`http://server${path}`, request));
        return path.endsWith("/plan") && response.ok ? new Response(change(await response.text())) : response;
      },
    });
  const offered = { inputShape: INPUT_SHAPE, activations: "client" } as const;

  afterAll(() => {
    expect(server.errors).toEqual([]);
    server.close();
  });

  test("are exact, and the server is told that the client applies some, not which values it sees", async () => {
    const session = await clientFor().open("gelu", offered);
    expect(session.manifest.segments.map(({ ownerLayers }) => ownerLayers)).toEqual([
      [{ kind: "GELU", options: { approximate: "none" } }],
    ]);
    rounds.length = 0;
    const { logits } = await session.classify(input);
    const expected = runModel(gelu, input).data;
    for (const [i, value] of expected.entries()) expect(logits.data[i]).toBeCloseTo(value, 4);
    expect(rounds.map(([path]) => path.replace(/.*\//, ""))).toEqual(["0"]);
    await session.close();
  });

  test("must be offered: the server refuses the model otherwise, and the client a plan with layers that it did not offer", async () => {
    const silent = clientFor().open("gelu", { inputShape: INPUT_SHAPE });
    await expectError(silent, "SERVER_REFUSED", /layer 1 \(GELU\).*--activations client/);
    const forced = clientOf({}, async (path, response) =>
      path.endsWith("/plan")
        ? new Response(
            (await response.text()).replace('"ownerLayers":[]', '"ownerLayers":[{"kind":"ReLU","options":{}}]'),
          )
        : response,
    );
    await expectError(
      forced.open("linear", { inputShape: INPUT_SHAPE }),
      "INVALID_MESSAGE",
      /has this client apply ReLU, which it did not offer/,
    );
    await expectError(
      clientFor().open("gelu", { inputShape: INPUT_SHAPE, activations: "server" as "client" }),
      "INVALID_MESSAGE",
      /activations must be "client"/,
    );
  });

  test.each([
    ['"kind":"GELU"', '"kind":"Eval"', /"Eval", which is none of ELU/],
    ['"approximate":"none"', '"approximate":"code"', /approximate must be/],
    [
      '"kind":"GELU","options":{"approximate":"none"}',
      '"kind":"MaxPool2d","options":{"kernelSize":2}',
      /MaxPool2d takes an image/,
    ],
    ['"ownerLayers":[', '"ownerLayers":[1,', /the key owner's layers/],
  ])("are on a fixed list, and must fit: %s as %s", async (from, to, reason) => {
    const opening = clientFor((text) => text.replace(from, to)).open("gelu", offered);
    await expectError(opening, "INVALID_MESSAGE", reason);
  });
});

/** The number of ciphertexts, then level, components, seed flag and scale of the first (`src/ckks/wire.ts`). */
const COUNT_AND_CIPHERTEXT_HEADER = 2 + 3 + 8;

test("where an intermediate result is lost, the server sees the same rounds and the user an error", async () => {
  const rounds: string[] = [];
  let bits = 0;
  const client = clientOf({}, async (path, response) => {
    if (!path.includes("/segments/")) return response;
    rounds.push(path);
    if (!path.endsWith("/0")) return response;
    const bytes = new Uint8Array(await response.arrayBuffer());
    // The lowest bits of residues 0, 8, 16, …, which begin at whole bytes: they stay below their prime, the message becomes noise.
    for (let i = 0; i < 64; i++) bytes[HEADER_BYTES + COUNT_AND_CIPHERTEXT_HEADER + bits * i]! ^= 1;
    return new Response(bytes, response);
  });
  const session = await client.open("square", { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  bits = Math.ceil(Math.log2(session.manifest.parameters.dataPrimes[0]!));
  await expectError(session.classify(input), "PRECISION_LOST", /left the range|damaged/);
  expect(rounds).toHaveLength(2);
  await session.close();
});

describe("errors", () => {
  test("of the server come with its reason and its code", async () => {
    const error = await clientOf()
      .open("nothing", { inputShape: INPUT_SHAPE })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerRefusedError);
    expect(error).toMatchObject({ code: "SERVER_REFUSED", status: 404, failure: { code: "UNKNOWN_MODEL" } });
    expect((error as Error).message).toContain("linear, square");
    await expectError(clientOf().open("linear", { inputShape: [5] }), "SERVER_REFUSED", /layer 0 \(Linear\)/);
    const proxy = clientOf({}, () => new Response("<html>", { status: 502 }));
    await expectError(proxy.models(), "SERVER_REFUSED", /502 .* is it a crcnn server/);
  });

  test("of a request are told before anything is sent", async () => {
    const silent = clientOf({}, () => expect.unreachable("a request was sent"));
    for (const request of [undefined, { inputShape: "5" }, { inputShape: [5], precision: Number.NaN }]) {
      await expectError(
        silent.open("linear", request as never),
        "INVALID_MESSAGE",
        /plan request|inputShape|precision/,
      );
    }
  });

  test("of the way to it say what to check", async () => {
    const closed = createClient({ server: "http://127.0.0.1:47113" });
    await expectError(
      closed.models(),
      "SERVER_UNREACHABLE",
      /127\.0\.0\.1:47113 \(the connection was refused\); check/,
    );
    const lost = clientOf({}, () => new Response(new ReadableStream({ pull: (c) => c.error(new Error("reset")) })));
    await expectError(lost.models(), "SERVER_UNREACHABLE", /reset/);
    const reset = Object.assign(new TypeError("fetch failed"), { cause: { code: "UND_ERR_SOCKET" } });
    const cut = clientOf({}, () => Promise.reject(reset));
    await expectError(cut.models(), "SERVER_UNREACHABLE", /\(the connection broke off\)/);
    expect(() => createClient({ server: "http://me:secret@x" })).toThrow(/^server must be .* without a user name/);
    for (const server of ["127.0.0.1:80", "ftp://x", "", "nonsense"]) {
      expect(() => createClient({ server })).toThrow("server must be an address as http://127.0.0.1:8080");
    }
  });

  test("of a server that answers something else", async () => {
    const changed = (change: (text: string) => string): Client =>
      clientOf({}, async (path, response) =>
        path.endsWith("/plan") ? new Response(change(await response.text())) : response,
      );
    const open = (change: (text: string) => string): Promise<unknown> =>
      changed(change).open("linear", { inputShape: INPUT_SHAPE });
    await expectError(
      open(() => "{}"),
      "INVALID_MESSAGE",
      /manifest/,
    );
    await expectError(
      open((text) => text.slice(1)),
      "INVALID_MESSAGE",
      /not JSON/,
    );
    await expectError(
      open((text) => text.replace('"security":128', '"security":"insecure"')),
      "INVALID_MESSAGE",
      /security/,
    );
    await expectError(
      open((text) => text.replace(/"dataPrimes":\[\d+/, '"dataPrimes":[1000001')),
      "INVALID_MESSAGE",
      /manifest.*primes, got 1000001/,
    );
    await expectError(
      open((text) => text.replace('"shape":[12]', '"shape":[3,4]')),
      "INVALID_MESSAGE",
      /3x4 where 12/,
    );
    // Any other change makes another plan of it, which the server has not got.
    await expectError(
      open((text) => `${text} `),
      "SERVER_REFUSED",
      /ask for the plan again/,
    );
    const endless = clientOf({}, (path, response) =>
      path.includes("/segments/")
        ? new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1_000_000)) }))
        : response,
    );
    const session = await endless.open("linear", { inputShape: INPUT_SHAPE });
    await expectError(session.classify(input), "LIMIT_EXCEEDED", /more than the \d+ bytes/);
    await session.close();
  });

  test("parameters above the security table are refused, whatever the server calls them", async () => {
    const weak = clientOf({}, async (path, response) => {
      if (!path.endsWith("/plan")) return response;
      const manifest = JSON.parse(await response.text());
      manifest.parameters.dataPrimes.unshift(536690689, 536641537);
      return Response.json(manifest);
    });
    await expectError(weak.open("linear", { inputShape: INPUT_SHAPE }), "INSECURE_PARAMETERS", /log2\(QP\)/);
  });

  test("of the input name what is wrong with it", async () => {
    const session = await clientOf().open("linear", { inputShape: INPUT_SHAPE });
    await expectError(session.classify({ shape: [3], data: new Float64Array(3) }), "SHAPE_MISMATCH", /12, got 3/);
    const data = INPUT.slice();
    data[4] = Number.NaN;
    await expect(session.classify({ shape: INPUT_SHAPE, data })).rejects.toThrow(
      new RangeError("input must hold finite numbers, element 4 is NaN"),
    );
    await session.close();
  });
});

describe("cancelling", () => {
  test("before anything, between two keys and during an evaluation", async () => {
    const early = clientOf({ signal: AbortSignal.abort() });
    await expectError(early.models(), "ABORTED", /cancelled/);

    const controller = new AbortController();
    let made = 0;
    const client = clientOf({
      signal: controller.signal,
      onProgress({ step, done }) {
        if (step === "keys") made = done;
        if (step === "keys" && done === 1) controller.abort();
      },
    });
    const opening = client.open("square", { inputShape: INPUT_SHAPE });
    await expectError(opening, "ABORTED", /cancelled/);
    expect(made).toBeLessThan(15);

    const later = new AbortController();
    const running = await clientOf({
      signal: later.signal,
      onProgress: ({ step }) => void (step === "evaluate" && later.abort()),
    }).open("linear", { inputShape: INPUT_SHAPE });
    await expectError(running.classify(input), "ABORTED", /cancelled/);
    // The session is ended on the server all the same.
    await running.close();
  });
});
