import { afterEach, describe, expect, test, vi } from "vitest";
import { createEngine, createThreadedEngine, type Engine, type Kernels } from "../../src/math/index.ts";
import { calibrateCosts, type MachineCosts, WASM_COSTS } from "../../src/plan/index.ts";

const RING_DEGREE = 1024;
const OPTIONS = { ringDegree: RING_DEGREE, streamedBytes: 2 ** 20, milliseconds: 10 };

function flatten({ sums, ...prices }: MachineCosts): [string, number][] {
  return [...Object.entries(prices), ...Object.entries(sums)] as [string, number][];
}

describe("kernels whose prices are known", () => {
  afterEach(() => void vi.restoreAllMocks());

  /** An engine on which each kernel call takes as long as these prices say, on a clock that nothing else moves. */
  function pricedEngine(machine: MachineCosts): Engine {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const spend = (microseconds: number): void => {
      now += microseconds / 1000;
    };
    const engine = createEngine({ backend: "ts" });
    const pass = (): void => spend(machine.pass * RING_DEGREE);
    const transform = (): void => spend(machine.transform * RING_DEGREE * Math.log2(RING_DEGREE));
    const kernels: Partial<Kernels> = {
      forwardNtt: transform,
      inverseNtt: transform,
      liftDigits: pass,
      subtractMultiplyScalar: pass,
      multiplyScalar: pass,
      add: pass,
      dotProduct: (_out, lefts, _rights, count) => spend(machine.sums.product * lefts.length * count),
      dotProductPair(_outs, _lefts, rights, count, _modulus, options) {
        const [product, reduction] = options?.permutation
          ? [machine.keyProduct, machine.keyReduction]
          : [machine.product, machine.reduction];
        spend(2 * count * (rights.length * product + reduction));
      },
      weightedSums(program, outs, ins, _biases, _scratch, count) {
        const { entry, column, row } = machine.sums;
        spend(count * (25 * outs.length * entry + ins.length * column + outs.length * row));
        expect(program.rows).toBe(outs.length);
      },
    };
    return { ...engine, kernels: { ...engine.kernels, ...kernels } };
  }

  test("are found", () => {
    const factor = 3.7;
    const machine: MachineCosts = {
      transform: 0.0003,
      product: 0.0004,
      reduction: 0.0007,
      keyProduct: 0.0005,
      keyReduction: 0.0011,
      pass: 0.0002,
      sums: {
        entry: factor * WASM_COSTS.sums.entry,
        column: factor * WASM_COSTS.sums.column,
        row: factor * WASM_COSTS.sums.row,
        product: 0.0009,
      },
    };
    const found = flatten(calibrateCosts(pricedEngine(machine), OPTIONS));
    for (const [i, [name, price]] of flatten(machine).entries()) {
      expect(found[i]![0]).toBe(name);
      expect(found[i]![1] / price, name).toBeCloseTo(1, 6);
    }
  });
});

describe.each([
  ["TypeScript", async () => createEngine({ backend: "ts" })],
  ["WebAssembly", async () => createEngine({ backend: "wasm" })],
  ["two threads", () => createThreadedEngine({ threads: 2 })],
])("%s", (_, create) => {
  test("every price is a number that is not negative, and no memory stays reserved", async () => {
    const engine = await create();
    const prices = flatten(calibrateCosts(engine, OPTIONS));
    for (const [name, price] of prices) {
      expect(price, name).toBeGreaterThanOrEqual(0);
      expect(price, name).toBeLessThan(1);
    }
    // What no sum can do without.
    for (const name of ["transform", "pass", "entry", "column", "row"]) {
      expect(prices.find(([each]) => each === name)![1], name).toBeGreaterThan(0);
    }
    expect(engine.heap.usage().used).toBe(0);
    await engine.close();
  });
});

test("a ring degree that is none is refused, and leaves nothing behind", () => {
  const engine = createEngine();
  expect(() => calibrateCosts(engine, { ringDegree: 1000 })).toThrow(RangeError);
  const small = createEngine({ maximumBytes: 2 ** 21 });
  expect(() => calibrateCosts(small, { ringDegree: RING_DEGREE, streamedBytes: 2 ** 24 })).toThrow(
    expect.objectContaining({ code: "MEMORY_LIMIT" }),
  );
  for (const { heap } of [engine, small]) expect(heap.usage().used).toBe(0);
});
