import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compile, readPlan, type SourceModel, savePlan } from "../../src/builder/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import { decodeData, encodeData, hashPlan } from "../../src/plan/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { pathsOf, withValue } from "../helpers/junk.ts";
import { numbers } from "../helpers/plans.ts";

/** A small network with every operation of a plan, and two segments where it is refreshed. */
function smallModel(seed = 5): SourceModel {
  const next = numbers(seed);
  const tensor = (...shape: number[]): { shape: number[]; data: number[] } => ({
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next),
  });
  return chainOf([
    conv2dLayer({ weight: tensor(2, 1, 3, 3), bias: tensor(2) }),
    squareLayer(),
    avgPool2dLayer({ kernelSize: 2 }),
    flattenLayer(),
    linearLayer({ weight: tensor(3, 8), bias: tensor(3) }),
  ]);
}

const inputShape = [1, 6, 6];
const networks: [string, () => Compiled][] = [
  ["for one image", () => compile(smallModel(), { inputShape, inputRange: [-1, 1] })],
  ["with a refresh", () => compile(smallModel(), { inputShape, rencryptPositions: [2] })],
  ["for a batch", () => compile(smallModel(), { inputShape, objective: "throughput" })],
];

describe.each(networks)("a network compiled %s", (_, create) => {
  let network: Compiled;
  let bytes: Uint8Array;
  beforeAll(() => {
    network = create();
    bytes = savePlan(network);
  });

  test("comes back as it was: manifest, plans, and the schedules and costs that follow from them", () => {
    expect(readPlan(bytes)).toEqual(network);
    expect(savePlan(readPlan(bytes))).toEqual(bytes);
  });

  test("whatever stands in a field's place, under a right checksum, is read or refused as a damaged file", () => {
    const saved = decodeData(bytes);
    const junk = fc.constantFrom<unknown>(
      ...[null, -1, 0, 1, 0.5, 1e300, 2 ** 40, "x", "rescale", true, [], {}, [null], [[]]],
      ...[new Float64Array(3), new Int32Array(7)],
    );
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(saved)), junk, (path, value) => {
        try {
          readPlan(encodeData(withValue(saved, path, value)));
        } catch (error) {
          expect(error).toBeInstanceOf(CrcnnError);
          expect(error).toMatchObject({ code: "INVALID_FILE" });
        }
      }),
      { numRuns: 400 },
    );
  });

  test("a weight that was changed, under a right checksum, is noticed by the plan's hash", () => {
    const saved = structuredClone(decodeData(bytes)) as { plans: Record<string, unknown>[] };
    const changed = JSON.stringify(saved.plans[0], (_key, value) => {
      if (value instanceof Float64Array && value.length > 0) value[0]! += 1e-9;
      return ArrayBuffer.isView(value) ? "array" : value;
    });
    expect(changed).toContain("array");
    expect(() => readPlan(encodeData(saved), "old.plan")).toThrow(
      expect.objectContaining({
        code: "INVALID_FILE",
        message: expect.stringMatching(/^old\.plan .* hash is not the/),
      }),
    );
  });
});

describe("refused, with what is wrong", () => {
  let network: Compiled;
  let saved: Record<string, unknown>;
  let manifest: Record<string, unknown>;
  beforeAll(() => {
    network = networks[0]![1]();
    saved = decodeData(savePlan(network)) as Record<string, unknown>;
    manifest = JSON.parse(saved.manifest as string);
  });
  const withManifest = (path: (string | number)[], value: unknown): Uint8Array =>
    encodeData({ ...saved, manifest: JSON.stringify(withValue(manifest, path, value)) });

  test.each<[string, () => Uint8Array, RegExp]>([
    ["no bytes", () => new Uint8Array(), /no data that crcnn has saved/],
    ["other data", () => encodeData([1, 2]), /is no object/],
    ["a later format", () => encodeData({ ...saved, format: "crcnn plan 2" }), /format is "crcnn plan 2"/],
    ["an insecure ring", () => withManifest(["parameters", "security"], "insecure"), /security insecure/],
    [
      "more primes than are secure",
      () => withManifest(["parameters", "specialPrimes"], new Array(40).fill(1073479681)),
      /not those of the security table/,
    ],
    ["keys that it does not use", () => withManifest(["keys", "rotations"], []), /other keys/],
    ["outputs at another level", () => withManifest(["segments", 0, "outputLevel"], 0), /outputs are not as/],
    ["inputs too far down", () => withManifest(["segments", 0, "inputLevel"], 1), /outputs are not as|more often than/],
    ["fewer plans than segments", () => encodeData({ ...saved, plans: [] }), /not as many plans/],
  ])("%s", (_, forged, message) => {
    expect(() => readPlan(forged())).toThrow(
      expect.objectContaining({ code: "INVALID_FILE", message: expect.stringMatching(message) }),
    );
  });

  test("a plan that reads outside of its nodes, though its hash is right", () => {
    const [plan] = saved.plans as { nodes: { op: string; source?: number }[] }[];
    const nodes = plan!.nodes.map((node) => (node.op === "square" ? { ...node, source: 1000 } : node));
    const forgedPlan = { ...network.plans[0]!, nodes } as never;
    const forged = encodeData({
      ...saved,
      plans: [{ ...plan, nodes }],
      manifest: JSON.stringify(withValue(manifest, ["segments", 0, "hash"], hashPlan(forgedPlan))),
    });
    expect(() => readPlan(forged)).toThrow(/what node \d+ reads is 1000/);
  });
});
