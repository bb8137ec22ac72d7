import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createEncoder } from "../../src/ckks/index.ts";
import { createEngine, type Engine } from "../../src/math/index.ts";
import { prepareProgram, programBytes } from "../../src/plan/index.ts";
import { createComputeCore } from "../../src/server/compute-core.ts";
import { type CompiledPlan, createInlineCompute } from "../../src/server/index.ts";
import { createProgramCache } from "../../src/server/program-cache.ts";
import { type Party, partyOf } from "./pool.ts";
import { INPUT_SHAPE, loadModels } from "./wire.ts";

const NEVER = new AbortController().signal;
/** Three plans of one model, alike but for their weights. */
let plans: CompiledPlan[];
let bytes: number;
let engine: Engine;

beforeAll(async () => {
  const compute = createInlineCompute({ models: loadModels() });
  const compile = (high: number): Promise<CompiledPlan> =>
    compute.compile("linear", { inputShape: INPUT_SHAPE, inputRange: [0, high] }, NEVER);
  plans = [await compile(1), await compile(1.125), await compile(1.25)];
  expect(new Set(plans.map(({ hash }) => hash)).size).toBe(3);
  const { manifest, plans: segments, schedules } = plans[0]!.network;
  bytes = programBytes(segments[0]!, schedules[0]!, manifest.parameters);
});
afterEach(() => engine.close());

/** What lives in the heap now, in encoded plans of equal size. */
function encoded(): number {
  return engine.heap.usage().used / bytes;
}

test("the bytes that are counted are those of the heap", () => {
  engine = createEngine();
  const cache = createProgramCache(engine, 2 ** 30);
  for (const plan of plans) {
    const before = engine.heap.usage().used;
    const programs = cache.hold(plan).programs();
    const { manifest, plans: segments, schedules } = plan.network;
    expect(engine.heap.usage().used - before).toBe(programBytes(segments[0]!, schedules[0]!, manifest.parameters));
    expect(programs[0]!.weights.flat().length).toBeGreaterThan(1);
  }
});

describe("when room is needed", () => {
  test("plans that nobody holds go first, then those not used for longest; all can be had again", () => {
    engine = createEngine();
    const cache = createProgramCache(engine, 2.5 * bytes);
    const [first, second, third] = plans.map((plan) => cache.hold(plan));
    const before = first!.programs();
    second!.programs();
    second!.release();
    expect(encoded()).toBe(2);
    // Used later than the first, but nobody's.
    third!.programs();
    expect(encoded()).toBe(2);
    expect(first!.programs() === before).toBe(true);
    const again = cache.hold(plans[1]!);
    again.programs();
    expect(encoded()).toBe(2);
    // The third had to go, since the first was used after it.
    expect(first!.programs() === before).toBe(true);
    third!.programs();
    expect(encoded()).toBe(2);
    again.programs();
    expect(first!.programs() === before).toBe(false);
    expect(encoded()).toBe(2);
  });

  test("a plan that is larger than the bound is kept alone", () => {
    engine = createEngine();
    const cache = createProgramCache(engine, 1);
    for (const plan of [...plans, ...plans]) {
      cache.hold(plan).programs();
      expect(encoded()).toBe(1);
    }
  });

  test("plans that nobody holds stay while there is room, and encoding is done once", () => {
    engine = createEngine();
    const cache = createProgramCache(engine, 2 ** 30);
    const held = cache.hold(plans[0]!);
    const programs = held.programs();
    held.release();
    expect(cache.hold(plans[0]!).programs() === programs).toBe(true);
    const other = cache.hold(plans[1]!);
    // Never asked for its programs, it leaves nothing.
    other.release();
    expect(encoded()).toBe(1);
  });

  test("equal parameters share the tables of one context", () => {
    engine = createEngine();
    const cache = createProgramCache(engine, 1);
    const [first] = plans as [CompiledPlan];
    const copy = { ...first, hash: "another" };
    cache.hold(first).programs();
    const { permanent } = engine.heap.usage();
    cache.hold(copy).programs();
    expect(engine.heap.usage().permanent).toBe(permanent);
  });
});

describe("sessions", () => {
  let parties: Party[];
  beforeAll(async () => {
    parties = await Promise.all(plans.map(partyOf));
  });

  test("evaluate the same whether their plan stayed or went", () => {
    engine = createEngine();
    const core = createComputeCore(engine, { encodedBytes: bytes, computeBytes: 2 ** 20 });
    const results = (): Buffer[] =>
      parties.map(({ ciphertexts }, i) => Buffer.from(core.evaluate(`${i}`, 0, ciphertexts(), NEVER).bytes));
    for (const [i, { keys }] of parties.entries()) core.open(`${i}`, plans[i]!, keys());
    const used = engine.heap.usage().used;
    const [first, second] = [results(), results()];
    for (const [i, result] of first.entries()) expect(result.equals(second[i]!)).toBe(true);
    expect(engine.heap.usage().used).toBe(used);
    for (const i of parties.keys()) core.end(`${i}`);
    core.end("0");
    // All keys are gone, one plan is kept.
    expect(encoded()).toBe(1);
  });

  test("that fail to open leave nothing behind, and an evaluation that is given up neither", () => {
    engine = createEngine();
    const core = createComputeCore(engine, { encodedBytes: bytes, computeBytes: 2 ** 20 });
    const [{ keys, ciphertexts }] = parties as [Party];
    expect(() => core.open("a", plans[0]!, keys().subarray(0, -1))).toThrow("cut off");
    expect(encoded()).toBe(1);
    core.open("a", plans[0]!, keys());
    const { used } = engine.heap.usage();
    let asked = 0;
    const later = {
      get aborted() {
        asked++;
        return asked > 6;
      },
    };
    expect(() => core.evaluate("a", 0, ciphertexts(), later)).toThrow("cancelled");
    expect(engine.heap.usage().used).toBe(used);
    core.end("a");
    expect(() => core.evaluate("a", 0, ciphertexts(), NEVER)).toThrow("the session has ended");
  });
});

test("a program's bytes are those of its plaintexts for raised and plain weights alike", async () => {
  engine = createEngine();
  const compute = createInlineCompute({ models: loadModels() });
  const { network } = await compute.compile("square", { inputShape: INPUT_SHAPE }, NEVER);
  const cache = createProgramCache(engine, 2 ** 30);
  const { context } = cache.hold({ hash: "square", network });
  const program = prepareProgram(network.plans[0]!, network.schedules[0]!, createEncoder(context));
  expect(program.hoisting.raised.some((raised) => raised === 1)).toBe(true);
  expect(engine.heap.usage().used).toBe(
    programBytes(network.plans[0]!, network.schedules[0]!, network.manifest.parameters),
  );
});
