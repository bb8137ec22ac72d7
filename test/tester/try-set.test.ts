import { expect, test } from "vitest";
import { runModel, type SourceModel } from "../../src/builder/index.ts";
import { conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import type { Layer, Tensor } from "../../src/plan/index.ts";
import {
  type ParameterSet,
  parseTesterConfiguration,
  type SetReport,
  tryParameterSet,
} from "../../src/tester/index.ts";
import { loadFixture } from "../helpers/encrypted.ts";
import { numbers } from "../helpers/plans.ts";

const next = numbers(3);
const modelOf = (...layers: Layer[]): SourceModel => ({
  layers: layers.map((layer, index) => ({ index, position: `${index}`, layer })),
});
const weights = (...shape: number[]): { shape: number[]; data: number[] } => ({
  shape,
  data: Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, () => next()),
});
const model = modelOf(
  conv2dLayer({ weight: weights(2, 1, 3, 3) }),
  squareLayer(),
  flattenLayer(),
  linearLayer({ weight: weights(5, 8) }),
);
const image: Tensor = { shape: [1, 4, 4], data: Float64Array.from({ length: 16 }, () => Math.abs(next())) };

function setOf(set: object): ParameterSet {
  return parseTesterConfiguration(JSON.stringify({ encryption_parameters: [set] }), "config.json").sets[0]!;
}

const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 };

function expectAnswer(report: SetReport, largest: number): void {
  expect(report.error).toBeUndefined();
  expect(report.final_max_error).toBeLessThan(largest);
  expect(report.final_max_error).toBeGreaterThan(0);
  expect(report.average_error).toBeLessThanOrEqual(report.final_max_error!);
  expect(report.final_max_error_position).toHaveLength(1);
  expect(report.argmax_agrees).toBe(true);
  expect(report.milliseconds).toBeGreaterThan(0);
}

function expectRows({ layers }: SetReport, largest: number): void {
  expect(layers!.map(({ layer_name }) => layer_name)).toEqual([
    "start",
    "0 Conv2d",
    "1 Square",
    "2 Flatten",
    "3 Linear",
  ]);
  let tensor = image;
  for (const [i, row] of layers!.entries()) {
    if (i > 0) tensor = model.layers[i - 1]!.layer.forward(tensor);
    expect(row.max_error).toBeLessThan(largest);
    expect(row.min_noise).toBeGreaterThan(0);
    const position = row.max_error_position!;
    expect(position).toHaveLength(tensor.shape.length);
    const element = position.reduce((at, index, axis) => at * tensor.shape[axis]! + index, 0);
    expect(row.plain_value).toBe(tensor.data[element]);
    expect(Math.abs(row.cipher_value! - row.plain_value!)).toBe(row.max_error);
    expect(row.milliseconds).toBeGreaterThanOrEqual(0);
  }
}

test("PyCrCNN's set, with a row for each layer", async () => {
  const set = setOf({ ...SEED, rencrypt_positions: [1] });
  const report = await tryParameterSet(model, image, set, { debug: true });
  expectAnswer(report, 1e-7);
  expectRows(report, 1e-7);
  expect(report.set).toEqual({ ...SEED, rencrypt_positions: [1] });
  expect(report.parameters).toMatchObject({ scheme: "bfv", ringDegree: 2048, specialPrimes: [], plainModulus: SEED.p });
  const last = report.layers!.at(-1)!;
  expect(last.max_error).toBe(report.final_max_error);
  expect(last.max_error_position).toEqual(report.final_max_error_position);
  // Without rows the same errors.
  const short = await tryParameterSet(model, image, set);
  expect(short.layers).toBeUndefined();
  expectAnswer(short, 1e-7);
});

test.each(["latency", "throughput"])("a set of CKKS for %s", async (objective) => {
  const report = await tryParameterSet(model, image, setOf({ scheme: "ckks", objective }), { debug: true });
  expectAnswer(report, 1e-2);
  expectRows(report, 1e-2);
  expect(report.parameters?.scheme).toBe("ckks");
  for (const { min_noise, max_error } of report.layers!) expect(min_noise).toBeCloseTo(-Math.log2(max_error!));
});

test("layers before the range run in the clear, those behind it not at all", async () => {
  const relu = loadFixture("variants/act-relu.pt");
  const vector: Tensor = { shape: [12], data: Float64Array.from({ length: 12 }, () => next()) };
  expectAnswer(await tryParameterSet(relu, vector, setOf(SEED), { layers: [0] }), 1e-7);
  const rows = await tryParameterSet(model, image, setOf(SEED), { layers: [3], debug: true });
  expectAnswer(rows, 1e-7);
  expect(rows.layers!.map(({ layer_name }) => layer_name)).toEqual(["start", "3 Linear"]);
  const wanted = runModel(model, image).data;
  expect(rows.layers![1]!.plain_value).toBe(wanted[rows.final_max_error_position![0]!]);
  await expect(tryParameterSet(model, image, setOf(SEED), { layers: [0, 2] })).rejects.toThrow(/without a gap/);
});

test.each<[object, string, RegExp]>([
  [SEED, "NO_PARAMETERS", /^layer 1 \(Square\): .* put 1 among/],
  [{ ...SEED, m: 2000 }, "RangeError", /m must be the ring degree/],
  [{ ...SEED, p: 1 }, "RangeError", /p must be the plain modulus/],
  [{ ...SEED, m: 1024, p: 2 ** 29 }, "RangeError", /p 536870912 leaves no noise budget .* use p below/],
  [{ ...SEED, sec: 100 }, "RangeError", /sec must be 128, 192 or 256/],
  [{ ...SEED, base: 1 }, "RangeError", /base must be/],
  [{ ...SEED, rencrypt_positions: [4] }, "RangeError", /rencryptPositions must hold layer numbers from 0 to 3, got 4/],
  [{ precision: 1e-12 }, "NO_PARAMETERS", /no parameters reach a precision of 1e-12/],
])("a set that cannot work says why: %j", async (set, code, message) => {
  const report = await tryParameterSet(model, image, setOf(set), { debug: true });
  expect(report.error?.code).toBe(code);
  expect(report.error?.message).toMatch(message);
  expect(report.final_max_error).toBeUndefined();
  expect(report.argmax_agrees).toBeUndefined();
});

test("a budget that reaches zero is flagged and gives no answer", async () => {
  const even = linearLayer({ weight: { shape: [12, 12], data: new Array(144).fill(0.5) } });
  const ones: Tensor = { shape: [12], data: new Float64Array(12).fill(1) };
  const set = setOf({ m: 1024, p: 14000, sec: 128, base: 2 });
  const report = await tryParameterSet(modelOf(even, even, even), ones, set, { debug: true });
  expect(report.budget_exhausted).toBe(true);
  expect(report.error?.code).toBe("PRECISION_LOST");
  expect(report.final_max_error).toBeUndefined();
  const [input, first, , last] = report.layers!;
  expect(input!.min_noise).toBeGreaterThan(first!.min_noise);
  expect(first!.max_error).toBeLessThan(1e-6);
  expect(last).toEqual({ layer_name: "2 Linear", min_noise: 0, milliseconds: last!.milliseconds });
});

test("p need not be a prime", async () => {
  const set = setOf({ ...SEED, p: 2 ** 23, rencrypt_positions: [1] });
  expectAnswer(await tryParameterSet(model, image, set), 1e-7);
});
