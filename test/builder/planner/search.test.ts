import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { searchLayout } from "../../../src/builder/planner/search.ts";
import { CrcnnError } from "../../../src/errors/index.ts";
import {
  affineMap,
  applyAffine,
  estimateLowered,
  flatLayout,
  type Layer,
  type LoweredCost,
  type LoweredNetwork,
  type Shape,
  type SlotCosts,
  sizeOf,
} from "../../../src/plan/index.ts";
import { evaluateLowered } from "../../plan/lowering/evaluate-lowered.ts";
import { conv, flatten, linear, network, networks, pool, randomNumbers, square, type TestNetwork } from "./networks.ts";
import { rotationCount, simdPrices, typescriptPrices } from "./slot-prices.ts";

function reference({ steps }: TestNetwork, input: Float64Array): Float64Array {
  return steps.reduce<Float64Array>(
    (x, { algebra }) => (algebra.kind === "square" ? x.map((value) => value * value) : applyAffine(algebra.map, x)),
    input,
  );
}

/** Largest difference to applying the maps, relative to the largest output. */
function relativeError(net: TestNetwork, lowered: LoweredNetwork): number {
  const input = Float64Array.from({ length: sizeOf(net.inputShape) }, randomNumbers(7));
  const expected = reference(net, input);
  const got = evaluateLowered(lowered, input);
  expect(got.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-300);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0) / largest;
}

function describeCost(cost: LoweredCost, milliseconds: number): string {
  const { rotations, hoisted, giant, fold, diagonals, keys, squares, levels } = cost;
  return (
    `${rotations} rotations (${hoisted}/${giant}/${fold}), ${diagonals} diagonals, ${keys} keys, ${squares} squares, ` +
    `${levels} levels, ${milliseconds.toFixed(1)} ms`
  );
}

function searched(
  name: keyof typeof networks,
  slots: number,
  costs: SlotCosts,
): LoweredCost & { milliseconds: number } {
  const net = networks[name]();
  const started = performance.now();
  const lowered = searchLayout(net.steps, { inputShape: net.inputShape, slots, costs });
  const elapsed = performance.now() - started;
  const cost = estimateLowered(lowered, costs);
  const milliseconds = estimateLowered(lowered, simdPrices(slots)).microseconds / 1000;
  console.info(`${name}: ${describeCost(cost, milliseconds)}; searched in ${elapsed.toFixed(0)} ms`);
  expect(relativeError(net, lowered)).toBeLessThan(1e-9);
  return { ...cost, milliseconds };
}

describe("networks of known cost", () => {
  // Milliseconds that a search reached before, and the rotations where only they count; see the prices.
  test.each([
    ["lenet1", 4096, 20.2, 5],
    ["lenet1OneSquare", 4096, 10.5, 3],
    ["tensealNet", 4096, 13.2, 5],
    ["cryptonets", 4096, 18.1, 5],
    ["mlp", 4096, 8.5, 3],
    ["linear", 4096, 5.0, 1],
    ["fivesWithPool3", 8192, 42, 5],
    ["twoStridedConvolutions", 4096, 16.4, 5],
  ] as const)("%s by time", (name, slots, milliseconds, levels) => {
    const found = searched(name, slots, simdPrices(slots));
    expect(found.milliseconds).toBeLessThan(1.05 * milliseconds);
    expect(found.levels).toBe(levels);
  });

  test.each([
    ["lenet1", 47],
    ["tensealNet", 24],
    ["linear", 10],
  ] as const)("%s by rotations", (name, rotations) => {
    expect(searched(name, 4096, rotationCount).rotations).toBeLessThanOrEqual(rotations);
  });

  test("lenet1 by the prices of TypeScript kernels", () => {
    expect(searched("lenet1", 4096, typescriptPrices).rotations).toBeLessThanOrEqual(60);
  });
});

describe("odd networks", () => {
  const cases: readonly (readonly [string, Shape, () => readonly Layer[]])[] = [
    [
      "a rectangular image with strides, padding and dilation",
      [4, 9, 11],
      () => [conv(4, 6, 3, { stride: [2, 3], padding: [2, 1], dilation: [1, 3] }), square(), flatten(), linear(108, 3)],
    ],
    [
      "groups and depthwise",
      [4, 8, 7],
      () => [conv(4, 8, 3, { groups: 2, padding: 1 }), square(), conv(8, 8, 3, { groups: 8 }), pool(2)],
    ],
    ["a single square", [2, 3, 5], () => [square()]],
    ["two squares in a row", [3, 4, 4], () => [square(), square()]],
    ["a linear layer of odd sizes", [12], () => [linear(12, 37)]],
    ["one output", [50], () => [linear(50, 1)]],
    ["an output larger than its input", [2, 5, 5], () => [conv(2, 3, 3, { padding: 4 }), square()]],
    ["pools one after another, and last", [2, 12, 12], () => [conv(2, 3, 1), square(), pool(2), pool(3)]],
    ["squared sums of a pool", [1, 8, 8], () => [pool(2), square(), flatten(), linear(16, 5)]],
    ["nothing but a change of shape", [2, 4, 4], () => [flatten()]],
    ["a change of shape between squares", [2, 4, 4], () => [square(), flatten(), square(), linear(32, 4)]],
    ["maps without squares", [1, 10, 10], () => [conv(1, 3, 3), conv(3, 2, 3), flatten(), linear(72, 7)]],
    ["one pixel", [5, 1, 1], () => [conv(5, 9, 1), square(), conv(9, 2, 1)]],
  ];
  test.each(cases)("%s", (_, inputShape, layers) => {
    const net = network(inputShape, layers());
    for (const slots of [2048, 4096]) {
      const lowered = searchLayout(net.steps, { inputShape, slots, costs: typescriptPrices });
      expect(relativeError(net, lowered)).toBeLessThan(1e-9);
    }
  });

  test("tensors larger than a ciphertext", () => {
    const net = network([3, 12, 12], [conv(3, 8, 3, { padding: 1 }), square(), pool(2), flatten(), linear(288, 10)]);
    for (const slots of [64, 256, 512, 8192]) {
      const lowered = searchLayout(net.steps, { inputShape: net.inputShape, slots, costs: simdPrices(slots) });
      expect(relativeError(net, lowered)).toBeLessThan(1e-9);
    }
  });

  test("rows without entries keep their bias", () => {
    const map = affineMap([6], [3], (row, add) => row === 1 && add(4, 2), [5, 6, 7]);
    const empty = affineMap([3], [2], () => {}, [1, -1]);
    for (const maps of [[map], [map, empty]]) {
      const net: TestNetwork = {
        inputShape: [6],
        steps: maps.map((m, index) => ({ index, algebra: { kind: "affine", map: m }, inputs: [index] })),
      };
      const lowered = searchLayout(net.steps, { inputShape: [6], slots: 16, costs: typescriptPrices });
      expect(relativeError(net, lowered)).toBeLessThan(1e-12);
    }
  });
});

describe("options", () => {
  const net = networks.tensealNet();
  const options = { inputShape: net.inputShape, slots: 4096, costs: typescriptPrices };

  test("the same input gives the same result", () => {
    expect(searchLayout(net.steps, options)).toEqual(searchLayout(net.steps, options));
  });

  test("an input layout that is there already is kept", () => {
    const inputLayout = flatLayout(net.inputShape, 4096);
    const lowered = searchLayout(net.steps, { ...options, inputLayout });
    expect(lowered.input.source.slice(0, 785)).toEqual(Int32Array.from({ length: 785 }, (_, i) => (i < 784 ? i : -1)));
    expect(relativeError(net, lowered)).toBeLessThan(1e-9);
  });

  test.each<[string, () => Layer[]]>([
    ["into the first map", () => [conv(1, 2, 3), square(), flatten(), linear(72, 5)]],
    ["through a square", () => [square(), flatten(), linear(64, 5)]],
    ["to the outputs, where no map takes it in", () => [square(), square()]],
    ["through a pool", () => [pool(2), square()]],
  ])("a factor that the input has goes %s", (_, layers) => {
    const net = network([1, 8, 8], layers());
    const inputLayout = flatLayout(net.inputShape, 128);
    const search = { inputShape: net.inputShape, inputLayout, slots: 128, costs: typescriptPrices };
    const input = Float64Array.from({ length: 64 }, randomNumbers(5));
    const expected = reference(net, input);
    const lowered = searchLayout(net.steps, { ...search, inputFactor: 3 });
    const got = evaluateLowered(
      lowered,
      input.map((value) => 3 * value),
    );
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 10);
  });

  test("layer numbers are the source's", () => {
    const shifted = net.steps.map((step) => ({ ...step, index: step.index + 10 }));
    const ranges = searchLayout(shifted, options).stages.map(({ layers }) => layers);
    expect(ranges).toEqual([
      [10, 10],
      [11, 11],
      [12, 13],
      [14, 14],
      [15, 15],
    ]);
  });

  test("too few levels, a wrong shape and a cancelled search are told", () => {
    const codeOf = (changed: object): string => {
      try {
        searchLayout(net.steps, { ...options, ...changed });
      } catch (error) {
        return error instanceof CrcnnError ? error.code : String(error);
      }
      return "none";
    };
    expect(codeOf({ maxLevels: 4 })).toBe("LEVEL_EXHAUSTED");
    expect(codeOf({ maxLevels: 5 })).toBe("none");
    expect(codeOf({ inputShape: [1, 27, 28] })).toBe("SHAPE_MISMATCH");
    expect(codeOf({ signal: AbortSignal.abort() })).toBe("ABORTED");
    expect(codeOf({ slots: 3000 })).toMatch(/RangeError: slots must be a power of two, got 3000/);
    expect(codeOf({ beam: 0 })).toMatch(/RangeError: beam/);
  });
});

/** Small random chains: an image, some spatial layers, then perhaps linear ones. */
const chains = fc.record({
  channels: fc.integer({ min: 1, max: 4 }),
  height: fc.integer({ min: 3, max: 10 }),
  width: fc.integer({ min: 3, max: 10 }),
  logSlots: fc.integer({ min: 5, max: 10 }),
  spatial: fc.array(
    fc.record({
      kind: fc.constantFrom("conv", "pool", "square"),
      channels: fc.integer({ min: 1, max: 5 }),
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
      padding: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 1 })),
    }),
    { maxLength: 4 },
  ),
  linear: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 2 }),
  costs: fc.constantFrom(typescriptPrices, rotationCount),
});

test("random chains evaluate to what their maps say", () => {
  fc.assert(
    fc.property(chains, ({ channels, height, width, logSlots, spatial, linear: outputs, costs }) => {
      const inputShape: Shape = [channels, height, width];
      let shape = inputShape;
      const layers: Layer[] = [];
      const push = (layer: Layer): void => {
        layers.push(layer);
        shape = layer.outputShape(shape);
      };
      for (const { kind, channels: next, kernel, stride, padding } of spatial) {
        const [c, h, w] = shape as [number, number, number];
        if (kind === "square") push(square());
        else if (kind === "pool") push(pool(Math.min(2, h, w)));
        else if (h + 2 * padding[0] >= kernel[0] && w + 2 * padding[1] >= kernel[1]) {
          push(conv(c, next, kernel, { stride, padding }));
        }
      }
      if (outputs.length > 0) push(flatten());
      for (const [i, size] of outputs.entries()) {
        if (i > 0) push(square());
        push(linear(sizeOf(shape), size));
      }
      const net = network(inputShape, layers);
      const lowered = searchLayout(net.steps, { inputShape, slots: 2 ** logSlots, costs });
      expect(relativeError(net, lowered)).toBeLessThan(1e-9);
    }),
    { numRuns: 60 },
  );
});
