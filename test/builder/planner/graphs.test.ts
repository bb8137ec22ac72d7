/** Layouts of models that are graphs: shortcuts, sums, concatenations, values that are read at several depths. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { networkSteps, runModel, type SourceModel, traceShapes } from "../../../src/builder/index.ts";
import { searchLayout } from "../../../src/builder/planner/search.ts";
import { addLayer, concatLayer } from "../../../src/layers/index.ts";
import {
  emitPlan,
  estimateLowered,
  type LoweredNetwork,
  type Plan,
  planDepth,
  runClear,
  type Shape,
  schedulePlan,
  sizeOf,
  type Tensor,
} from "../../../src/plan/index.ts";
import { graphOf, type Placed } from "../../helpers/chain.ts";
import { evaluateLowered } from "../../plan/lowering/evaluate-lowered.ts";
import { conv, flatten, linear, pool, randomNumbers, square } from "./networks.ts";
import { rotationCount, simdPrices, typescriptPrices } from "./slot-prices.ts";

function largestError(actual: Float64Array, expected: Float64Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-300);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0) / largest;
}

/** All operands of a sum must meet at one level and one scale, whatever the primes. */
function expectScalesMeet(plan: Plan): void {
  const depth = planDepth(plan);
  const dataPrimes = Array.from({ length: depth + 2 }, (_, i) => 2 ** 28 - 1000 * i * i);
  const policy = { messageScale: 2 ** 27, outputScale: 2 ** 40 };
  const { levels, scales } = schedulePlan(plan, { dataPrimes }, policy, { level: depth + 1, scale: 2 ** 27 });
  for (const [id, node] of plan.nodes.entries()) {
    expect(levels[id]).toBeGreaterThanOrEqual(0);
    const operands =
      node.op === "add" ? [node.left, node.right] : node.op === "weightedSum" ? node.terms.map((t) => t.source) : [];
    for (const operand of operands) {
      expect(levels[operand]).toBe(levels[operands[0]!]);
      expect(scales[operand]! / scales[operands[0]!]!).toBeCloseTo(1, 12);
    }
  }
}

function lower(model: SourceModel, inputShape: Shape, slots: number, costs = typescriptPrices): LoweredNetwork {
  return searchLayout(networkSteps(model, traceShapes(model, inputShape)), { inputShape, slots, costs });
}

function expectRight(model: SourceModel, inputShape: Shape, lowered: LoweredNetwork): void {
  const input: Tensor = {
    shape: inputShape,
    data: Float64Array.from({ length: sizeOf(inputShape) }, randomNumbers(7)),
  };
  const expected = runModel(model, input);
  expect(largestError(evaluateLowered(lowered, input.data), expected.data)).toBeLessThan(1e-9);
  for (const foldsBeforeRescale of [false, true]) {
    for (const rescaleLast of [false, true]) {
      const plan = emitPlan(lowered, { foldsBeforeRescale, rescaleLast });
      const output = runClear(plan, input);
      expect(output.shape).toEqual(expected.shape);
      expect(largestError(output.data, expected.data)).toBeLessThan(1e-9);
      expectScalesMeet(plan);
    }
  }
}

const add = addLayer();
const concat = concatLayer();
const cases: [string, Shape, readonly Placed[]][] = [
  ["a sum with the input itself", [6], [[square()], [add, [0, -1]]]],
  ["a value twice", [6], [[linear(6, 6)], [add, [0, 0]]]],
  ["a concatenation with the input", [2, 4, 4], [[square()], [concat, [0, -1]]]],
  ["a concatenation that is squared", [2, 4, 4], [[conv(2, 3, 1)], [concat, [0, -1]], [square()], [pool(2)]]],
  [
    "a residual block",
    [2, 6, 6],
    [[conv(2, 2, 3, { padding: 1 })], [square()], [conv(2, 2, 3, { padding: 1 })], [add, [2, -1]]],
  ],
  [
    "a residual block with a convolution in its shortcut",
    [2, 8, 8],
    [
      [conv(2, 4, 3, { padding: 1, stride: 2 })],
      [square()],
      [conv(4, 4, 3, { padding: 1 })],
      [conv(2, 4, 1, { stride: 2 }), [-1]],
      [add, [2, 3]],
      [square()],
      [pool(2)],
      [flatten()],
      [linear(16, 5)],
    ],
  ],
  [
    "two blocks in a row",
    [1, 6, 6],
    [
      [conv(1, 3, 3, { padding: 1 })],
      [square()],
      [conv(3, 3, 3, { padding: 1 })],
      [add, [2, 0]],
      [square()],
      [conv(3, 3, 1)],
      [add, [5, 3]],
    ],
  ],
  [
    "what is read at three depths",
    [8],
    [[linear(8, 8)], [square()], [square()], [square()], [add, [3, 1, 0]], [linear(8, 2)]],
  ],
  ["layers that nobody reads", [4], [[linear(4, 4)], [square()], [linear(4, 3), [0]]]],
  [
    "another order than that of use",
    [1, 4, 4],
    [[conv(1, 2, 1)], [conv(1, 2, 3, { padding: 1 }), [-1]], [square(), [1]], [add, [2, 0]]],
  ],
  ["an end that is a concatenation of ends", [4], [[linear(4, 3)], [square()], [concat, [1, 0]]]],
  [
    "grouped and dilated branches",
    [4, 7, 7],
    [
      [conv(4, 4, 3, { groups: 2, padding: 1 })],
      [conv(4, 4, 3, { dilation: 2, padding: 2 }), [-1]],
      [add, [0, 1]],
      [square()],
    ],
  ],
];

describe("graphs", () => {
  test.each(cases)("%s", (_, inputShape, layers) => {
    const model = graphOf(layers);
    for (const slots of [64, 512]) expectRight(model, inputShape, lower(model, inputShape, slots));
  });

  test("a shortcut costs a residual block no level, and little else", () => {
    const block = [[conv(8, 8, 3, { padding: 1 })], [square()], [conv(8, 8, 3, { padding: 1 })]] as const;
    const costs = simdPrices(4096);
    const plain = estimateLowered(lower(graphOf(block), [8, 14, 14], 4096, costs), costs);
    const residual = estimateLowered(lower(graphOf([...block, [add, [2, -1]]]), [8, 14, 14], 4096, costs), costs);
    expect(residual.levels).toBe(plain.levels);
    expect(residual.rotations).toBeLessThanOrEqual(plain.rotations + 3);
  });
});

/** Random graphs: each layer reads any earlier tensor, joins read two of fitting shapes. */
const graphs = fc.record({
  channels: fc.integer({ min: 1, max: 3 }),
  size: fc.integer({ min: 3, max: 7 }),
  logSlots: fc.integer({ min: 5, max: 9 }),
  costs: fc.constantFrom(typescriptPrices, rotationCount),
  layers: fc.array(
    fc.record({
      kind: fc.constantFrom("conv", "square", "add", "add", "concat", "pool", "stride"),
      from: fc.nat(),
      other: fc.nat(),
      channels: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

test("random graphs evaluate to what their layers say", () => {
  fc.assert(
    fc.property(graphs, ({ channels, size, logSlots, costs, layers }) => {
      const inputShape: Shape = [channels, size, size];
      const shapes: Shape[] = [inputShape];
      const placed: Placed[] = [];
      for (const { kind, from, other, channels: next } of layers) {
        // Mostly the newest tensor, so that graphs get deep.
        const value = from % 3 === 0 ? from % shapes.length : shapes.length - 1;
        const [c, h, w] = shapes[value] as [number, number, number];
        const alike = shapes.flatMap(([oc, oh, ow], i) =>
          oh === h && ow === w && (kind === "concat" || oc === c) ? [i] : [],
        );
        const mate = alike[other % alike.length]!;
        const layer =
          kind === "conv"
            ? conv(c, next, Math.min(3, h), { padding: h < 3 ? 0 : 1 })
            : kind === "stride"
              ? conv(c, next, 1, { stride: 2 })
              : kind === "square"
                ? square()
                : kind === "pool"
                  ? pool(Math.min(2, h, w))
                  : kind === "add"
                    ? add
                    : concat;
        const inputs = kind === "add" || kind === "concat" ? [value, mate] : [value];
        shapes.push(layer.outputShape(...inputs.map((i) => shapes[i]!)));
        placed.push([layer, inputs.map((i) => i - 1)]);
      }
      const model = graphOf(placed);
      expectRight(model, inputShape, lower(model, inputShape, 2 ** logSlots, costs));
    }),
    { numRuns: 60 },
  );
});
