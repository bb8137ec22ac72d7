import { expect, test } from "vitest";
import { compile } from "../../src/builder/index.ts";
import { hashPlan } from "../../src/plan/index.ts";
import { shareArrays } from "../../src/server/node/share-arrays.ts";
import { INPUT_SHAPE, loadModels } from "./wire.ts";

test("a compiled network is plain data: shared and cloned, it is the same, and its numbers are copied no more", () => {
  const network = compile(loadModels().get("square")!, { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  const shared = shareArrays(network);
  const cloned = structuredClone(shared);
  for (const copy of [shared, cloned]) {
    expect(copy).toEqual(network);
    expect(copy.plans.map(hashPlan)).toEqual(network.manifest.segments.map(({ hash }) => hash));
  }
  const arrays = JSON.stringify(shared, (_, value) =>
    ArrayBuffer.isView(value) ? (value.buffer instanceof SharedArrayBuffer ? "shared" : "not shared") : value,
  );
  expect(arrays).toContain('"shared"');
  expect(arrays).not.toContain("not shared");
  cloned.plans[0]!.layers[0] = 7;
  expect(shared.plans[0]!.layers[0]).toBe(7);
  expect(network.plans[0]!.layers[0]).toBe(0);
});

test("what is used twice stays one", () => {
  const values = Float64Array.of(1, 2);
  const shared = shareArrays({ left: values, right: [values], nothing: null, missing: undefined });
  expect(shared.right[0]).toBe(shared.left);
  expect(shared).toEqual({ left: values, right: [values], nothing: null, missing: undefined });
});

test("a view of a larger buffer is copied alone", () => {
  const view = new Int32Array(Int32Array.of(1, 2, 3, 4).buffer, 4, 2);
  const shared = shareArrays([view]);
  expect(shared[0]).toEqual(Int32Array.of(2, 3));
  expect(shared[0]!.buffer.byteLength).toBe(8);
});

test("what is no plain data is refused by its name", () => {
  expect(() => shareArrays({ map: new Map() })).toThrow(new TypeError("Map is not data"));
  expect(() => shareArrays([() => 1])).toThrow("a function is not data");
});
