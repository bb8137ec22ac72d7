import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createApp, type ServerLimits } from "../../dist/server/index.js";
import { chooseSeedParameters, createFractionalEncoder } from "../../src/bfv/index.ts";
import { type ClientProgress, computeLayers, parseClientConfig } from "../../src/client/index.ts";
import { type BfvOwner, createOwner } from "../../src/owner/index.ts";
import { type ComputeRequest, encodeCiphertexts } from "../../src/protocol/index.ts";
import { createInlineCompute } from "../../src/server/index.ts";
import { type Listening, listen, startPool, type TestPool } from "./pool.ts";
import { INPUT, loadModels } from "./wire.ts";

const NEVER = new AbortController().signal;
const running: { close(): Promise<void> }[] = [];
const owners: BfvOwner[] = [];

/** Takes milliseconds, and some hundred of them. */
let quick: Uint8Array<ArrayBuffer>;
let slow: Uint8Array<ArrayBuffer>;

async function bodyFor(m: number): Promise<Uint8Array<ArrayBuffer>> {
  const encryption_parameters = { m, p: 13513511, sec: 128, base: 2 };
  const owner = await createOwner({
    scheme: "bfv",
    parameters: chooseSeedParameters(encryption_parameters).parameters,
  });
  owners.push(owner);
  const encrypted = owner.encryptTensor(createFractionalEncoder(owner.context), { shape: [12], data: INPUT });
  const data = encodeCiphertexts(owner.context, encrypted);
  const request: ComputeRequest = { encryption_parameters, net: "square", layers: [0], data };
  return new TextEncoder().encode(JSON.stringify(request));
}

beforeAll(async () => {
  quick = await bodyFor(2048);
  slow = await bodyFor(16384);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
});
afterAll(() => {
  for (const owner of owners) owner.destroy();
});

async function pool(options: Parameters<typeof startPool>[0] = {}): Promise<TestPool> {
  const started = await startPool(options);
  running.push(started);
  return started;
}

async function serve(threaded: TestPool, limits: Partial<ServerLimits> = {}): Promise<Listening> {
  const server = await listen(createApp({ compute: threaded, limits }));
  running.push(server);
  return server;
}

const post = (server: Listening, body: Uint8Array<ArrayBuffer>, signal: AbortSignal = NEVER): Promise<Response> =>
  fetch(`${server.url}/compute`, { method: "POST", body, signal });

/** What the slow request takes where the thread has met its parameters. */
async function timeSlow(server: Listening): Promise<number> {
  await (await post(server, slow)).arrayBuffer();
  const start = performance.now();
  await (await post(server, slow)).arrayBuffer();
  return performance.now() - start;
}

test("several requests at once come out as they do one by one, without a pool", async () => {
  const inline = createInlineCompute({ models: loadModels() });
  const wanted = [await inline.computeLayers(quick.slice(), NEVER), await inline.computeLayers(slow.slice(), NEVER)];
  const threaded = await pool({ workers: 2 });
  const order = [0, 1, 1, 0, 0];
  const found = await Promise.all(
    order.map((kind) => threaded.computeLayers((kind === 0 ? quick : slow).slice(), NEVER)),
  );
  for (const [i, kind] of order.entries()) {
    expect(Buffer.from(found[i]!.bytes).equals(wanted[kind]!.bytes)).toBe(true);
    expect(found[i]!.milliseconds).toBeGreaterThan(0);
  }
  expect(threaded.threads).toHaveLength(2);
  await inline.close();
});

test("while layers are computed, the server answers; above its limit requests are refused", async () => {
  const server = await serve(await pool(), { computeRequests: 1 });
  const started = performance.now();
  let took: number | undefined;
  const computed = post(server, slow).then(async (response) => {
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    took = performance.now() - started;
  });
  await pause(30);
  const refused = await post(server, quick);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: "BUSY" });
  const waits: number[] = [];
  while (took === undefined) {
    const asked = performance.now();
    expect(await (await fetch(`${server.url}/health`)).text()).toBe("ok");
    waits.push(performance.now() - asked);
    await pause(10);
  }
  await computed;
  expect(Math.max(...waits)).toBeLessThan(took / 2);
  expect((await post(server, quick)).status).toBe(200);
});

describe("clients that go away", () => {
  test("in the middle of the work: it stops, and the thread is free", async () => {
    const threaded = await pool();
    const server = await serve(threaded, { computeRequests: 1 });
    const whole = await timeSlow(server);
    const controller = new AbortController();
    const lost = expect(post(server, slow, controller.signal)).rejects.toThrow();
    await pause(whole / 3);
    controller.abort();
    await lost;
    const start = performance.now();
    await expect.poll(async () => (await post(server, quick)).status, { timeout: 5000 }).toBe(200);
    expect(performance.now() - start).toBeLessThan(whole);
    expect(threaded.threads).toHaveLength(1);
    expect(threaded.errors).toEqual([]);
  });

  test("in the middle of their body, or of the answer: their place is given to others", async () => {
    const server = await serve(await pool(), { computeRequests: 1 });
    const { port } = new URL(server.url);
    const head = `POST /compute HTTP/1.1\r\nHost: server\r\nContent-Length: ${quick.length}\r\n\r\n`;
    for (const sent of [quick.subarray(0, 1000), quick]) {
      const socket = connect(Number(port), "127.0.0.1");
      await once(socket, "connect");
      socket.on("error", () => {});
      socket.write(head);
      socket.write(sent);
      if (sent === quick) await once(socket, "data");
      else await expect.poll(async () => (await post(server, quick)).status).toBe(503);
      socket.destroy();
      await expect.poll(async () => (await post(server, quick)).status).toBe(200);
    }
  });
});

test("a thread that dies fails what it worked on, and another takes its place", async () => {
  const threaded = await pool();
  const server = await serve(threaded);
  const whole = await timeSlow(server);
  const struck = post(server, slow);
  await pause(whole / 3);
  await threaded.threads[0]!.terminate();
  const response = await struck;
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    code: "WORKER_LOST",
    message: expect.stringMatching(/send the layers again/),
  });
  expect((await post(server, quick)).status).toBe(200);
  expect(threaded.errors).toHaveLength(1);
});

test("a server that is closed in the middle ends in time, and its clients hear of it", async () => {
  const threaded = await pool();
  const server = await serve(threaded);
  const lost = expect(post(server, slow)).rejects.toThrow();
  const set = { m: 2048, p: 13513511, sec: 128, base: 2 };
  const file = { address: `${server.url}/compute`, encryption_parameters: [set], net: "square", layers: [0] };
  let unreachable: Promise<void> | undefined;
  await new Promise<void>((resolve) => {
    const onProgress = ({ step }: ClientProgress): void => {
      if (step === "evaluate") resolve();
    };
    const config = parseClientConfig(JSON.stringify(file), "client.json");
    const computed = computeLayers(config, { shape: [12], data: INPUT }, { onProgress });
    unreachable = expect(computed).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringMatching(/^no answer came from .* \(the connection broke off\)/),
    });
  });
  await pause(20);
  const start = performance.now();
  await running.pop()!.close();
  await Promise.all([lost, unreachable]);
  expect(performance.now() - start).toBeLessThan(3000);
  for (const { threadId } of threaded.threads) expect(threadId).toBe(-1);
});
