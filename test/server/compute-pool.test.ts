import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { ComputeSession } from "../../dist/server/index.js";
import { createComputePool } from "../../dist/server/node/index.js";
import { createClient } from "../../src/client/index.ts";
import { paths, planHash } from "../../src/protocol/index.ts";
import { createInlineCompute } from "../../src/server/index.ts";
import { appWithPlan, type Listening, listen, partyOf, type TestPool } from "./pool.ts";
import { NEVER, openPools } from "./pool-party.ts";
import { INPUT, INPUT_SHAPE, loadModels } from "./wire.ts";

const { slow, quick, party, pool, open, evaluate, expectEcho, running } = await openPools();

describe("what comes out", () => {
  test.each([1, 2])("is what comes out without a pool, bit for bit, with %d threads each", async (threads) => {
    const inline = createInlineCompute({ models: loadModels() });
    const threaded = await pool({ workers: 2, threads });
    expect(threaded.models).toEqual(inline.models);
    const request = { inputShape: INPUT_SHAPE };
    const plan = await threaded.compile("linear", request, NEVER);
    const expected = await inline.compile("linear", request, NEVER);
    expect(plan.text).toBe(expected.text);
    expect(planHash(plan.text)).toBe(plan.hash);
    expect(plan.network).toEqual(expected.network);
    const from = await partyOf(plan);
    const reference = await inline.openSession({ plan: expected, keys: from.keys(), signal: NEVER, onLost: () => {} });
    const wanted = await reference.evaluate(0, from.ciphertexts(), NEVER);
    // The second session is on another thread than the first, and than the compilation was.
    for (const session of [await open(threaded, plan, from), await open(threaded, plan, from)]) {
      const { bytes, milliseconds } = await session.evaluate(0, from.ciphertexts(), NEVER);
      expect(Buffer.from(bytes).equals(wanted.bytes)).toBe(true);
      expect(milliseconds).toBeGreaterThan(0);
    }
    expect(threaded.threads.length).toBe(2);
  });

  test("errors keep their codes, and a thread that reports one goes on", async () => {
    const threaded = await pool();
    const compile = (model: string, inputShape: number[]): Promise<unknown> =>
      threaded.compile(model, { inputShape }, NEVER);
    await expect(compile("nothing", [12])).rejects.toMatchObject({ code: "UNKNOWN_MODEL" });
    await expect(compile("linear", [13])).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
    await expect(threaded.compile("linear", { inputShape: [12], rencryptPositions: [9] }, NEVER)).rejects.toMatchObject(
      {
        code: "INVALID_MESSAGE",
      },
    );
    const damaged = { plan: quick, keys: party.keys().subarray(0, 99).slice(), signal: NEVER, onLost: () => {} };
    await expect(threaded.openSession(damaged)).rejects.toMatchObject({ code: "INVALID_MESSAGE" });
    const session = await open(threaded, quick);
    await expect(session.evaluate(1, party.ciphertexts(), NEVER)).rejects.toMatchObject({ code: "INVALID_MESSAGE" });
    session.end();
    await expect(evaluate(session)).rejects.toMatchObject({ code: "UNKNOWN_SESSION" });
    expectEcho((await evaluate(await open(threaded, quick))).bytes);
    expect(threaded.threads.length).toBe(1);
    expect(threaded.errors).toEqual([]);
  });

  test("numbers of threads that are none are refused", () => {
    const models = new Map();
    expect(() => createComputePool({ models, workers: 0 })).toThrow("workers must be an integer from 1 to 64, got 0");
    expect(() => createComputePool({ models, threads: 1.5 })).toThrow(
      "threads must be an integer from 1 to 64, got 1.5",
    );
    expect(() => createComputePool({ models, limits: { queue: 0 } })).toThrow("limits.queue");
  });
});

describe("side by side", () => {
  /** How much of the shorter of two evaluations happened during the other. */
  async function overlap(workers: number): Promise<number> {
    const threaded = await pool({ workers });
    const sessions = [await open(threaded), await open(threaded)];
    const spans = await Promise.all(
      sessions.map(async (session) => {
        const { milliseconds } = await evaluate(session);
        const end = performance.now();
        return { start: end - milliseconds, end };
      }),
    );
    const common = Math.min(...spans.map(({ end }) => end)) - Math.max(...spans.map(({ start }) => start));
    return common / Math.min(...spans.map(({ start, end }) => end - start));
  }

  test("two workers evaluate for two clients at once, one worker for one after the other", async () => {
    expect(await overlap(1)).toBeLessThan(0.2);
    expect(await overlap(2)).toBeGreaterThan(0.5);
  });

  test("a compilation goes to the worker that is free, and waits where none is", async () => {
    for (const workers of [1, 2]) {
      const threaded = await pool({ workers });
      const sessions = [await open(threaded), await open(threaded, quick)];
      const order: string[] = [];
      await Promise.all([
        evaluate(sessions[0]!).then(() => order.push("evaluation")),
        threaded.compile("linear", { inputShape: INPUT_SHAPE }, NEVER).then(() => order.push("compilation")),
      ]);
      expect(order).toEqual(workers === 1 ? ["evaluation", "compilation"] : ["compilation", "evaluation"]);
    }
  });

  test("while an evaluation runs, the server answers", async () => {
    const server = await listenTo(await pool());
    const { classified, elapsed } = startClassifying(server.url);
    const waits: number[] = [];
    for (let over = false; !over; ) {
      const start = performance.now();
      expect(await (await fetch(`${server.url}/health`)).text()).toBe("ok");
      waits.push(performance.now() - start);
      over = await Promise.race([classified.then(() => true), pause(20).then(() => false)]);
    }
    await classified;
    expect(waits.length).toBeGreaterThan(5);
    expect(Math.max(...waits)).toBeLessThan(elapsed() / 3);
  });
});

async function listenTo(threaded: TestPool, limits = {}): Promise<Listening> {
  const server = await listen(appWithPlan(threaded, slow, limits));
  running.push(server);
  return server;
}

function startClassifying(server: string): { classified: Promise<void>; elapsed: () => number } {
  let took = 0;
  const classify = async (): Promise<void> => {
    const session = await createClient({ server }).open("linear", { inputShape: INPUT_SHAPE });
    const start = performance.now();
    const { logits } = await session.classify({ shape: INPUT_SHAPE, data: INPUT });
    took = performance.now() - start;
    for (const [i, value] of INPUT.entries()) expect(logits.data[i]).toBeCloseTo(value, 1);
    await session.close();
  };
  return { classified: classify(), elapsed: () => took };
}

describe("giving up", () => {
  test("an evaluation that runs stops at the next node, one that waits is not begun", async () => {
    const threaded = await pool();
    const [first, second] = [await open(threaded), await open(threaded)];
    const { milliseconds } = await evaluate(first!);
    const controller = new AbortController();
    const stopped = evaluate(first!, controller.signal);
    const waiting = evaluate(second!, controller.signal);
    const next = evaluate(second!);
    const outcome = expect(stopped).rejects.toMatchObject({ code: "ABORTED" });
    await pause(milliseconds / 10);
    const start = performance.now();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    await outcome;
    expect(performance.now() - start).toBeLessThan(milliseconds / 2);
    expectEcho((await next).bytes);
    expect(threaded.threads.length).toBe(1);
  });

  test("so does the evaluation of a client whose connection breaks", async () => {
    const threaded = await pool();
    const server = await listenTo(threaded);
    const plan = { model: "linear", hash: slow.hash, manifest: slow.network.manifest };
    await fetch(`${server.url}/${paths.plan("linear")}`, {
      method: "POST",
      body: JSON.stringify({ inputShape: [12] }),
    });
    const created = await fetch(`${server.url}/${paths.sessions(plan.model, plan.hash)}`, {
      method: "POST",
      body: party.keys(),
    });
    const { session } = (await created.json()) as { session: string };
    const post = (signal: AbortSignal): Promise<Response> =>
      fetch(`${server.url}/${paths.segment(session, 0)}`, { method: "POST", body: party.ciphertexts(), signal });
    const full = performance.now();
    expect((await post(NEVER)).status).toBe(200);
    const whole = performance.now() - full;
    const controller = new AbortController();
    const lost = expect(post(controller.signal)).rejects.toThrow();
    await pause(whole / 5);
    controller.abort();
    await lost;
    // The only thread is free for something short.
    const start = performance.now();
    await expect(threaded.compile("linear", { inputShape: [13] }, NEVER)).rejects.toMatchObject({
      code: "SHAPE_MISMATCH",
    });
    expect(performance.now() - start).toBeLessThan(whole / 2);
  });

  test("a compilation that nobody waits for any more stops", async () => {
    const threaded = await pool();
    // Half a second and more.
    const controller = new AbortController();
    const stopped = expect(
      threaded.compile("square", { inputShape: INPUT_SHAPE }, controller.signal),
    ).rejects.toMatchObject({
      code: "ABORTED",
    });
    await pause(50);
    controller.abort();
    await stopped;
  });
});

describe("a thread that dies", () => {
  test("is replaced; its client hears of it at once, and a new session works", async () => {
    const threaded = await pool();
    const server = await listenTo(threaded, { sessions: 1 });
    const session = await createClient({ server: server.url }).open("linear", { inputShape: INPUT_SHAPE });
    const input = { shape: INPUT_SHAPE, data: INPUT };
    const start = performance.now();
    await session.classify(input);
    const whole = performance.now() - start;
    const struck = session.classify(input).catch((error: unknown) => error);
    await pause(whole / 4);
    await threaded.threads[0]!.terminate();
    const dead = performance.now();
    expect(await struck).toMatchObject({ code: "SERVER_REFUSED", status: 503, failure: { code: "WORKER_LOST" } });
    expect(performance.now() - dead).toBeLessThan(whole / 2);
    expect(threaded.errors).toHaveLength(1);
    await expect(session.classify(input)).rejects.toMatchObject({ failure: { code: "UNKNOWN_SESSION" } });
    // The only session that there may be has ended, so there is room for another.
    await startClassifying(server.url).classified;
    expect(threaded.threads).toHaveLength(2);
  });

  test("takes what waits for it with it, and nothing else", async () => {
    const threaded = await pool({ workers: 2 });
    const lost: string[] = [];
    const openNamed = (name: string): Promise<ComputeSession> =>
      threaded.openSession({ plan: slow, keys: party.keys(), signal: NEVER, onLost: () => lost.push(name) });
    const [first, second] = [await openNamed("first"), await openNamed("second")];
    const third = await openNamed("third");
    const other = evaluate(second!);
    const pinned = [evaluate(first!), evaluate(third)].map((each) =>
      expect(each).rejects.toMatchObject({ code: "WORKER_LOST" }),
    );
    const compiled = threaded.compile("linear", { inputShape: INPUT_SHAPE }, NEVER);
    await pause(50);
    await threaded.threads[0]!.terminate();
    await Promise.all(pinned);
    expect(lost.sort()).toEqual(["first", "third"]);
    await expect(evaluate(third)).rejects.toMatchObject({ code: "UNKNOWN_SESSION" });
    third.end();
    expect((await compiled).hash).toMatch(/^[0-9a-f]{64}$/);
    expectEcho((await other).bytes);
    expect(threaded.threads).toHaveLength(3);
  });

  test("of a mistake of its own is told to the operator with its reason", async () => {
    const threaded = await pool();
    const session = await open(threaded, quick);
    // Nothing that the pool would say.
    threaded.threads[0]!.postMessage(null);
    await expect.poll(() => threaded.errors.length).toBe(1);
    expect(threaded.errors[0]).toMatchObject({ cause: { name: "TypeError" } });
    await expect(evaluate(session)).rejects.toMatchObject({ code: "UNKNOWN_SESSION" });
    expectEcho((await evaluate(await open(threaded, quick))).bytes);
  });

  test("while a plan is compiled fails that request, and the next one is answered", async () => {
    const threaded = await pool();
    const struck = expect(threaded.compile("square", { inputShape: INPUT_SHAPE }, NEVER)).rejects.toMatchObject({
      code: "WORKER_LOST",
    });
    await pause(20);
    await threaded.threads[0]!.terminate();
    await struck;
    await threaded.compile("linear", { inputShape: INPUT_SHAPE }, NEVER);
  });
});
