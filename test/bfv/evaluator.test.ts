import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backend, createEngine, createThreadedEngine, type Engine } from "../../src/math/index.ts";
import { wordsOf } from "../helpers/rlwe.ts";
import { checkOperation, OPERATIONS } from "./operations.ts";
import { type BfvShape, createBfvParty, type SlotParty, withSlots } from "./support.ts";

const SHAPES: readonly BfvShape[] = [
  { data: [30, 30, 29, 28, 28], special: [30], plain: 17 },
  { data: [27, 26, 30, 30, 28, 27], special: [30, 29], plain: 21 },
];
const RUNS: Readonly<Record<Backend, number>> = { ts: 5, wasm: 50 };

describe.each(["ts", "wasm"] as const)("on the %s backend", (backend) => {
  const engine = createEngine({ backend });
  const parties = SHAPES.map((shape, i) => withSlots(createBfvParty(shape, { engine, stream: i + 1 })));

  test.each(Object.keys(OPERATIONS))("%s agrees with slots modulo t, and its noise with the estimate", (name) => {
    fc.assert(
      fc.property(fc.constantFrom(...parties), fc.nat(), (party, seed) => checkOperation(party, name, seed, true)),
      { numRuns: RUNS[backend] },
    );
  });

  test("nothing keeps memory", () => {
    const [party] = parties as [SlotParty];
    const names = Object.keys(OPERATIONS);
    for (const name of names) checkOperation(party, name, 1, false);
    const { used } = engine.heap.usage();
    for (const name of names) checkOperation(party, name, 2, false);
    expect(engine.heap.usage().used).toBe(used);
  });
});

test("at N = 8192 with 128-bit security every operation agrees with slots modulo t, and its noise with the estimate", () => {
  const party = withSlots(
    createBfvParty({ degree: 8192, data: [30, 30, 30, 30, 30, 30], special: [30], plain: 20, security: 128 }),
  );
  for (const [seed, name] of Object.keys(OPERATIONS).entries()) checkOperation(party, name, seed, true);
});

test("backends and numbers of threads give the same words", async () => {
  const engines: Engine[] = [
    createEngine({ backend: "ts" }),
    createEngine({ backend: "wasm" }),
    await createThreadedEngine({ threads: 2 }),
    await createThreadedEngine({ threads: 3 }),
  ];
  const words = engines.map((engine) => {
    const party = withSlots(createBfvParty(SHAPES[1]!, { engine, stream: 9 }));
    const { evaluator, encoder } = party;
    const slots = Int32Array.from({ length: 1024 }, (_, i) => i * i);
    const [x, y] = [party.encryptSlots(slots), party.encrypt(encoder.encode(slots).coefficients)];
    const results = [
      x,
      y,
      evaluator.multiply(x, y),
      evaluator.square(x),
      evaluator.multiplyRelinearize(x, y),
      evaluator.rotateRows(x, 5),
      evaluator.rotateColumns(x),
      evaluator.addPlain(x, encoder.encode(slots)),
      evaluator.multiplyPlain(x, encoder.encode(slots)),
      evaluator.switchModulus(x),
    ];
    return results.map(({ components }) => components.map(wordsOf));
  });
  for (const other of words.slice(1)) expect(other).toEqual(words[0]);
  for (const engine of engines) await engine.close();
});
