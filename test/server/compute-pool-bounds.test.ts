import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Compute, createApp } from "../../dist/server/index.js";
import { paths } from "../../src/protocol/index.ts";
import { appWithPlan, partyOf } from "./pool.ts";
import { NEVER, openPools } from "./pool-party.ts";
import { INPUT_SHAPE, openSession, send } from "./wire.ts";

const { slow, quick, party, pool, open, evaluate, expectEcho } = await openPools();

describe("bounds", () => {
  test("beyond the queue requests are refused with BUSY and a time to come back", async () => {
    const limits = { queue: 1 };
    const app = appWithPlan(await pool({ limits }), slow, limits);
    await send(app, "POST", paths.plan("linear"), JSON.stringify({ inputShape: INPUT_SHAPE }));
    const id = await openSession(
      app,
      { model: "linear", hash: slow.hash, manifest: slow.network.manifest },
      party.keys(),
    );
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => send(app, "POST", paths.segment(id, 0), party.ciphertexts())),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503, 503]);
    expect(answers[3]!.headers.get("retry-after")).toBe("2");
    expect(await answers[3]!.json()).toMatchObject({ code: "BUSY" });
    expect((await send(app, "POST", paths.segment(id, 0), party.ciphertexts())).status).toBe(200);
  });

  test("a session that works is not idle, however long it takes", async () => {
    const app = appWithPlan(await pool(), slow, { idleMilliseconds: 50 });
    await send(app, "POST", paths.plan("linear"), JSON.stringify({ inputShape: INPUT_SHAPE }));
    const planned = { model: "linear", hash: slow.hash, manifest: slow.network.manifest };
    const id = await openSession(app, planned, party.keys());
    for (let i = 0; i < 2; i++) {
      expect((await send(app, "POST", paths.segment(id, 0), party.ciphertexts())).status).toBe(200);
    }
    await pause(200);
    expect((await send(app, "POST", paths.segment(id, 0), party.ciphertexts())).status).toBe(404);
  });

  test("one plan is compiled once for all who ask at a time, and given up when none of them waits", async () => {
    const threaded = await pool();
    const signals: AbortSignal[] = [];
    const compute: Compute = {
      ...threaded,
      compile(model, request, signal) {
        signals.push(signal);
        return threaded.compile(model, request, signal);
      },
    };
    const app = createApp({ compute });
    const ask = (signal: AbortSignal): Promise<Response> => {
      const body = JSON.stringify({ inputShape: INPUT_SHAPE });
      return app.fetch(new Request(`http://server/${paths.plan("square")}`, { method: "POST", body, signal }));
    };
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    const answers = [ask(first.signal), ask(second.signal)];
    await expect.poll(() => signals.length).toBe(1);
    first.abort();
    second.abort();
    expect(signals[0]!.aborted).toBe(true);
    const again = [ask(third.signal), ask(NEVER)];
    for (const answer of answers) expect((await answer).status).toBe(400);
    third.abort();
    expect((await again[1]!).status).toBe(200);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect((await ask(NEVER)).status).toBe(200);
    expect(signals).toHaveLength(2);
  });

  test("two hundred sessions leave no memory behind", async () => {
    const threaded = await pool();
    const plan = await threaded.compile("linear", { inputShape: INPUT_SHAPE }, NEVER);
    const from = await partyOf(plan);
    const cycle = async (): Promise<void> => {
      const session = await open(threaded, plan, from);
      await session.evaluate(0, from.ciphertexts(), NEVER);
      session.end();
    };
    for (let i = 0; i < 30; i++) await cycle();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 200; i++) await cycle();
    const kept = 2 * from.keys().length * 200;
    expect(process.memoryUsage().rss - before).toBeLessThan(kept / 2);
    expect(threaded.threads).toHaveLength(1);
  });

  test("a thread whose heap has outgrown its use makes way for another one", async () => {
    const threaded = await pool({ limits: { encodedBytes: 2 ** 20 } });
    for (let i = 0; i < 2; i++) {
      const session = await open(threaded, quick);
      const second = await open(threaded, quick);
      expectEcho((await evaluate(session)).bytes);
      session.end();
      expectEcho((await evaluate(second)).bytes);
      expect(threaded.threads).toHaveLength(i + 1);
      second.end();
      await expect.poll(() => threaded.threads[i]!.threadId).toBe(-1);
    }
    expect(threaded.errors).toEqual([]);
  });

  test("a pool that is closed ends in time, whatever runs and waits", async () => {
    const threaded = await pool({ workers: 2, threads: 2 });
    const sessions = [await open(threaded), await open(threaded)];
    const struck = [...sessions, ...sessions].map((session) => expect(evaluate(session)).rejects.toThrow());
    await pause(50);
    const start = performance.now();
    await threaded.close();
    await Promise.all(struck);
    expect(performance.now() - start).toBeLessThan(3000);
    for (const { threadId } of threaded.threads) expect(threadId).toBe(-1);
    await expect(open(threaded)).rejects.toMatchObject({ code: "BUSY" });
    expect(threaded.errors).toEqual([]);
  });
});
