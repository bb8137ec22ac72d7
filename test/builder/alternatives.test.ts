import { describe, expect, test } from "vitest";
import {
  type Alternative,
  type CkksCompileOptions,
  compile,
  findAlternatives,
  isBatch,
} from "../../src/builder/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { addLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import type { Layer } from "../../src/plan/index.ts";
import { chainOf } from "../helpers/chain.ts";

const scaling = (factor: number): Layer => linearLayer({ weight: { shape: [2, 2], data: [factor, 0.1, 0.2, factor] } });
/** Values stay between a half and one, however many squares there are. */
const halving = linearLayer({
  weight: { shape: [2, 2], data: [0.4, 0.1, 0.05, 0.45] },
  bias: { shape: [2], data: [0.5, 0.5] },
});
const squares = (count: number): Layer[] => Array.from({ length: count }, () => [squareLayer(), halving]).flat();

function failureOf(model: Parameters<typeof compile>[0], options: CkksCompileOptions): CrcnnError {
  try {
    compile(model, options);
  } catch (error) {
    if (error instanceof CrcnnError) return error;
    throw error;
  }
  throw new Error("it compiles");
}

function collect(model: Parameters<typeof compile>[0], options: CkksCompileOptions): Alternative[] {
  const failure = failureOf(model, options);
  expect(failure.code).toBe("NO_PARAMETERS");
  return [...findAlternatives(model, options, { compile, failure })];
}

describe("a precision that is out of reach", () => {
  const model = chainOf([scaling(0.7), ...squares(2)]);
  const options: CkksCompileOptions = { inputShape: [2], precision: 1e-7, security: 128 };
  const found = collect(model, options);

  test("every alternative is one change, and holds what it promises", () => {
    expect(found.length).toBeGreaterThan(0);
    for (const { change, network } of found) {
      expect(Object.keys(change)).toHaveLength(1);
      expect(compile(model, { ...options, ...change })).toEqual(network);
      expect(network.predictedError).toBeLessThanOrEqual((change.precision ?? options.precision!) / 2);
    }
  });

  test("less precision comes first, and no less than must be: a tenth finer does not fit", () => {
    const { precision } = found[0]!.change;
    expect(precision).toBeGreaterThan(options.precision!);
    expect(failureOf(model, { ...options, precision: precision! / 1.2 }).code).toBe("NO_PARAMETERS");
  });
});

test("a network that is too deep gets as few refreshes as will do, in the middle of it", () => {
  // At 256 bits the largest ring has 929 bits of modulus.
  const model = chainOf([scaling(0.7), ...squares(20)]);
  const options: CkksCompileOptions = { inputShape: [2], security: 256 };
  const failure = failureOf(model, options);
  expect(failure.code).toBe("NO_PARAMETERS");
  // The other objective, which is tried last, would take long.
  const [refreshed] = findAlternatives(model, options, { compile, failure });
  const positions = refreshed!.change.rencryptPositions!;
  expect(refreshed!.network.manifest.segments).toHaveLength(positions.length + 1);
  for (const [i, position] of positions.entries()) {
    expect(Math.abs(position - (model.layers.length * (i + 1)) / (positions.length + 1))).toBeLessThanOrEqual(3);
  }
});

test("where memory is the trouble, the other objective is offered, and nothing that does not fit", () => {
  const model = chainOf([scaling(0.7), ...squares(1)]);
  const options: CkksCompileOptions = { inputShape: [2] };
  const tried: Alternative["change"][] = [];
  const found = [
    ...findAlternatives(model, options, { compile, fits: isBatch, onAttempt: (change) => tried.push(change) }),
  ];
  expect(found.map(({ change }) => change)).toEqual([{ objective: "throughput" }]);
  expect(tried.filter(({ rencryptPositions }) => rencryptPositions).length).toBeGreaterThan(1);
  expect(tried.at(-1)).toEqual({ objective: "throughput" });
});

test("no refresh is put into a shortcut", () => {
  const layers = [scaling(0.7), squareLayer(), scaling(0.9), addLayer(), squareLayer(), scaling(1)];
  const chain = chainOf(layers);
  const model = { layers: chain.layers.map((layer) => (layer.index === 3 ? { ...layer, inputs: [2, 0] } : layer)) };
  const tried: Alternative["change"][] = [];
  const never = { compile, fits: () => false, onAttempt: (change: Alternative["change"]) => void tried.push(change) };
  expect([...findAlternatives(model, { inputShape: [2] }, never)]).toEqual([]);
  const positions = tried.flatMap(({ rencryptPositions = [] }) => rencryptPositions);
  expect(positions.length).toBeGreaterThan(0);
  // Layer 3 also reads layer 0, so layers 2 and 3 stand within its shortcut; layer 1 begins it.
  for (const position of positions) expect([1, 4, 5]).toContain(position);
});
