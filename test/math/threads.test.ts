import { afterAll, describe, expect, test, vi } from "vitest";
import { startWorkers } from "#threads";
import {
  createEngine,
  createRing,
  createThreadedEngine,
  divideEachRoundByLast,
  dotProducts,
  type Engine,
  expandUniform,
  findNttPrimes,
  type Polynomial,
  readLimb,
  toCoefficients,
} from "../../src/math/index.ts";
import { createJobQueue, QUEUE_WORDS } from "../../src/math/threads/job-queue.ts";
import { createRecorder } from "../../src/math/threads/recorder.ts";
import { startAll, type WorkerHandle, type Workers } from "../../src/math/threads/start.ts";
import type { WorkerStart } from "../../src/math/threads/worker.ts";
import { createWasmStorage } from "../../src/math/wasm/backend.ts";
import { instantiateKernels } from "../../src/math/wasm/module.ts";

const engines: Engine[] = [];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

async function threaded(threads: number): Promise<Engine> {
  const engine = await createThreadedEngine({ threads });
  engines.push(engine);
  return engine;
}

const limbsOf = (polynomial: Polynomial): Int32Array[] => polynomial.basis.map((_, k) => readLimb(polynomial, k));

/** Transforms, sums of products over 300 terms and divisions, enough of them that every thread gets some. */
function compute(engine: Engine): Int32Array[] {
  const primes = findNttPrimes(2048, [30, 30, 29, 28, 27, 30]);
  const ring = createRing(2048, primes, engine);
  const basis = primes.map((_, i) => i);
  const seed = new Uint8Array(32).fill(9);
  const polynomials = Array.from({ length: 4 }, (_, label) => expandUniform(ring, basis, seed, label));
  const many = Array.from({ length: 300 }, (_, i) => polynomials[i % 4]!);
  const results: Polynomial[] = [];
  for (let round = 0; round < 20; round++) {
    const sums = dotProducts(basis, [
      { lefts: many, rights: [...many].reverse() },
      { lefts: many, rights: many },
    ]);
    results.push(...divideEachRoundByLast(sums, 1 + (round % 3)));
  }
  results.push(...polynomials.map(toCoefficients));
  return results.flatMap(limbsOf);
}

describe("a threaded engine", () => {
  const expected = compute(createEngine({ backend: "ts" }));

  test.each([1, 2, 3, 5])("computes with %i threads what one computes", async (threads) => {
    const engine = await threaded(threads);
    expect(engine.threads).toBe(threads);
    expect(compute(engine)).toEqual(expected);
  });

  test("survives growth of its heap in the middle", async () => {
    const engine = await threaded(2);
    engine.heap.allocate(2 ** 23);
    expect(compute(engine)).toEqual(expected);
  });

  test.each([0, -1, 1.5, 65, Number.NaN])("refuses %d threads", async (threads) => {
    await expect(createThreadedEngine({ threads })).rejects.toThrow(`from 1 to 64 or "auto", got ${threads}`);
  });

  test('"auto" takes at least one', async () => {
    const engine = await createThreadedEngine({ threads: "auto" });
    engines.push(engine);
    expect(engine.threads).toBeGreaterThanOrEqual(1);
  });
});

describe("threads that fail", () => {
  const memory = (): WebAssembly.Memory => createWasmStorage(2 ** 22, true).memory;

  test("one that throws at its start is reported, and the others are stopped", async () => {
    const broken = { memory: "none", queueOffset: 0 } as unknown as WorkerStart;
    await expect(startWorkers!(2, broken)).rejects.toMatchObject({
      code: "WORKER_FAILED",
      message: expect.stringMatching(/^a thread of the engine did not start \(.*memory.*\); use one thread$/),
    });
  });

  test("one that ends, throws or says nothing at its start is reported, and all are stopped", async () => {
    let stopped = 0;
    const start = (listen: WorkerHandle["listen"]): Promise<Workers> => {
      let made = 0;
      const makeWorker = (): WorkerHandle => ({
        listen: made++ === 0 ? (ready) => ready() : listen,
        stop: () => stopped++,
      });
      return startAll(2, makeWorker, 50);
    };
    await expect(start((_, died) => died("it ended with code 1"))).rejects.toThrow("it ended with code 1");
    expect(stopped).toBe(2);
    await expect(start(() => {})).rejects.toThrow("no answer in 0.05 s");
    expect(stopped).toBe(4);
    const refuse = (): never => {
      throw new Error("a policy forbids it");
    };
    await expect(startAll(1, refuse)).rejects.toThrow("a policy forbids it");
  });

  test("one that dies later counts no more", async () => {
    const shared = memory();
    const workers = await startWorkers!(2, { memory: shared, queueOffset: 0 });
    expect(workers.alive()).toBe(2);
    // One task, published without a caller that takes part, whose call leaves the memory.
    const words = new Int32Array(shared.buffer);
    const queue = createJobQueue(words, 0, instantiateKernels(shared));
    queue.begin();
    queue.beginTask();
    queue.append(2, [0x7ffffff0, 0, 0, 1024, 97]);
    queue.publishTask();
    await vi.waitFor(() => expect(workers.alive()).toBe(1), 5000);
    await workers.stop();
  });
});

describe("the job queue", () => {
  function setUp(lostMilliseconds?: number) {
    const { memory, words } = createWasmStorage(2 ** 22, true);
    const wasm = instantiateKernels(memory);
    const queue = createJobQueue(words, 1024, wasm, lostMilliseconds);
    const recorder = createRecorder(queue, wasm, 1024 + QUEUE_WORDS, 65_536);
    return { words, queue, recorder };
  }

  const limb = (index: number): number => 4 * (2 ** 19 + index * 16);

  test("a caller finishes alone where no worker is ready, also many more tasks than a batch holds", () => {
    const { words, recorder } = setUp();
    for (let i = 0; i < 16; i++) words[2 ** 19 + i] = i;
    const tasks = 10_000;
    recorder.parallel(tasks, (task) => {
      // Each task doubles the numbers of one of sixteen limbs, modulo 97, in two calls.
      recorder.exports.add(limb(16 + (task % 16)), limb(0), limb(0), 16, 97);
      recorder.exports.add(limb(16 + (task % 16)), limb(16 + (task % 16)), limb(0), 16, 97);
    });
    for (let i = 0; i < 16; i++) expect(words[2 ** 19 + 16 * 16 + i]).toBe(3 * i);
  });

  test("where a thread may not sleep it waits without", () => {
    const { recorder } = setUp();
    const wait = vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
    recorder.parallel(4, (task) => recorder.exports.add(limb(task), limb(task), limb(task), 16, 97));
    wait.mockRestore();
  });

  test("a thread that dies with a task is reported", () => {
    const { words, queue } = setUp(50);
    queue.begin();
    for (let i = 0; i < 2; i++) {
      queue.beginTask();
      queue.publishTask();
    }
    // Somebody claims a task, and is never heard of again.
    words[1024]++;
    expect(() => queue.finish()).toThrow(
      expect.objectContaining({ code: "WORKER_LOST", message: expect.stringContaining("1 of 2 tasks") }),
    );
    expect(() => queue.begin()).toThrow("left unfinished; make a new engine");
  });

  test("what throws in a task leaves the kernels running at once again", () => {
    const { words, recorder } = setUp();
    words[2 ** 19] = 5;
    const fail = (): void =>
      recorder.parallel(2, (task) => {
        recorder.exports.add(limb(2), limb(0), limb(0), 16, 97);
        if (task === 1) throw new Error("stop");
      });
    expect(fail).toThrow("stop");
    recorder.exports.add(limb(1), limb(0), limb(0), 16, 97);
    expect(words[2 ** 19 + 16]).toBe(10);
    recorder.parallel(2, (task) => recorder.exports.add(limb(3 + task), limb(0), limb(0), 16, 97));
    // The task before the one that threw was published, and has run.
    expect([2, 3, 4].map((index) => words[2 ** 19 + 16 * index])).toEqual([10, 10, 10]);
  });
});
