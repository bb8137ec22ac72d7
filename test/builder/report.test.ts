import { describe, expect, test } from "vitest";
import { type Compiled, compile, isBatch, reportPlan } from "../../src/builder/index.ts";
import { serializeCiphertexts } from "../../src/ckks/index.ts";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import { type MachineCosts, prepareProgram, runEncrypted, tensor, WASM_COSTS } from "../../src/plan/index.ts";
import { serializeEvaluationKeys } from "../../src/rlwe/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { numbers } from "../helpers/plans.ts";

const next = numbers(3);
const weights = (...shape: number[]): { shape: number[]; data: number[] } => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next),
});
const model = chainOf([
  conv2dLayer({ weight: weights(2, 1, 3, 3) }),
  squareLayer(),
  avgPool2dLayer({ kernelSize: 2 }),
  flattenLayer(),
  linearLayer({ weight: weights(3, 8) }),
  squareLayer(),
  linearLayer({ weight: weights(2, 3) }),
]);
const inputShape = [1, 6, 6];

/** Header, number of ciphertexts, level, components, seeded, scale, seed. */
const FRAME = 16 + 2 + 1 + 1 + 1 + 8 + 32;

describe("of one image at a time", () => {
  const network = compile(model, { inputShape });
  const report = reportPlan(model, network, WASM_COSTS);

  test("every layer belongs to one group; levels fall from the chain's end to what stays", () => {
    expect(report.layers.flatMap(({ layers: [first, last] }) => [first, last])).toEqual(
      report.layers.flatMap((layer, i) => [i === 0 ? 0 : report.layers[i - 1]!.layers[1] + 1, layer.layers[1]]),
    );
    expect(report.layers.at(-1)!.layers[1]).toBe(6);
    expect(report.layers[0]).toMatchObject({ name: "Conv2d", segment: 0 });
    expect(report.layers.map(({ name }) => name).join(" + ")).toBe(
      model.layers.map(({ layer }) => layer.kind).join(" + "),
    );
    for (const [i, { levels }] of report.layers.entries()) {
      expect(levels[0]).toBe(i === 0 ? network.manifest.segments[0]!.inputLevel : report.layers[i - 1]!.levels[1]);
      expect(levels[1]).toBeLessThanOrEqual(levels[0]);
    }
    expect(report.layers.at(-1)!.levels[1]).toBe(network.manifest.segments[0]!.outputLevel);
  });

  test("the groups' figures add up to those of the plan", () => {
    const [cost] = network.costs;
    expect(report.seconds).toBeCloseTo(cost!.seconds, 9);
    expect(report.rotations).toBe(cost!.rotations);
    expect(report.relinearizations).toBe(network.plans[0]!.nodes.filter(({ op }) => op === "relinearize").length);
    expect(report.layers.reduce((sum, { products }) => sum + products, 0)).toBe(cost!.weightedTerms);
    expect(report.precision.bits).toBeCloseTo(-Math.log2(network.predictedError), 9);
    expect(report.hashes).toEqual([network.manifest.segments[0]!.hash]);
    expect(report.parameters.modulusBits).toBeLessThanOrEqual(report.parameters.maximumModulusBits);
    expect(report.fitsHeap).toBe(true);
  });

  test("a machine that is twice as slow takes twice as long, and nothing else changes", () => {
    const twice = (prices: object): object =>
      Object.fromEntries(
        Object.entries(prices).map(([name, price]) => [name, typeof price === "number" ? 2 * price : twice(price)]),
      );
    const slow = reportPlan(model, network, twice(WASM_COSTS) as MachineCosts);
    expect(slow.seconds).toBeCloseTo(2 * report.seconds, 9);
    const timeless = ({ seconds: _, layers, ...rest }: typeof report): unknown => ({
      ...rest,
      layers: layers.map(({ seconds: __, ...layer }) => layer),
    });
    expect(timeless(slow)).toEqual(timeless(report));
  });

  test("bytes are those of the wire, but for their frames", async () => {
    const owner = await createOwner(network.manifest);
    const [segment] = network.manifest.segments;
    const inputs = owner.encryptInput(segment!, tensor(inputShape, new Array(36).fill(0.5)));
    const program = prepareProgram(network.plans[0]!, network.schedules[0]!, owner.evaluator.encoder);
    const outputs = runEncrypted(program, owner.evaluator.operations, inputs);
    const framed = (bytes: number, length: number): void => {
      expect(length).toBeGreaterThan(bytes);
      expect(length).toBeLessThanOrEqual(bytes + FRAME);
    };
    framed(report.ciphertexts.bytesUp, serializeCiphertexts(owner.context, inputs).length);
    framed(report.ciphertexts.bytesDown, serializeCiphertexts(owner.context, outputs).length);
    const keys = serializeEvaluationKeys(owner.context, owner.evaluationKeys).length;
    expect(keys).toBeGreaterThan(report.keys.bytes);
    expect(keys).toBeLessThanOrEqual(report.keys.bytes + 16 + 37 * report.keys.count);
    owner.destroy();
  });
});

test("of several segments: each has groups of its own, and ciphertexts go both ways for each", () => {
  const whole = reportPlan(model, compile(model, { inputShape }), WASM_COSTS);
  const refreshed = reportPlan(model, compile(model, { inputShape, rencryptPositions: [2, 5] }), WASM_COSTS);
  expect(refreshed.hashes).toHaveLength(3);
  expect(refreshed.layers.map(({ segment, layers }) => [segment, layers[0]])).toEqual(
    expect.arrayContaining([
      [0, 0],
      [1, 2],
      [2, 5],
    ]),
  );
  for (const { segment, layers } of refreshed.layers)
    expect(segment).toBe([2, 5].filter((at) => at <= layers[0]).length);
  expect(refreshed.parameters.levels).toBeLessThan(whole.parameters.levels);
});

test("of a batch: spans in order, a full batch's figures", () => {
  const network: Compiled = compile(model, { inputShape, objective: "throughput" });
  if (!isBatch(network)) throw new TypeError("not a batch");
  const report = reportPlan(model, network, WASM_COSTS);
  const [cost] = network.costs;
  expect(report).toMatchObject({ objective: "throughput", images: network.manifest.capacity, rotations: 0 });
  expect(report.seconds).toBeCloseTo(cost!.seconds, 9);
  expect(report.layers.reduce((sum, { products }) => sum + products, 0)).toBe(cost!.weighted);
  expect(report.layers[0]!.name).toMatch(/^Conv2d \+ Square/);
  expect(report.heap.values).toBe(cost!.peakBytes);
  expect(report.ciphertexts).toEqual({ bytesUp: cost!.inputBytes, bytesDown: cost!.outputBytes });
});
