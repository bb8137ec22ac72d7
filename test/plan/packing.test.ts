import { expect, test } from "vitest";
import { type InputPacking, type Tensor, tensor } from "../../src/plan/index.ts";
import { packInput } from "../../src/plan/packing.ts";

const PACKING: InputPacking = {
  shape: [3],
  slots: 4,
  ciphertexts: 1,
  source: Int32Array.of(2, 0, 1, -1),
  range: [-1, 3],
};

test("the values of a range are packed, rounding at its ends included", () => {
  expect(packInput(PACKING, tensor([3], [-1.01, 3.01, 0]))).toEqual([Float64Array.of(0, -1.01, 3.01, 0)]);
});

test.each([
  [[0, 3.1, 0], /element 1 is 3\.1, .* from -1 to 3/],
  [[-1.1, 0, 0], /element 0 is -1\.1/],
  [[0, 0, Number.POSITIVE_INFINITY], /element 2 is Infinity/],
])("values outside are refused by place and value: %j", (values, message) => {
  expect(() => packInput(PACKING, tensor([3], values))).toThrow(
    expect.objectContaining({ code: "PRECISION_LOST", message: expect.stringMatching(message) }),
  );
});

test("without a range every value is packed", () => {
  const { range: _, ...unbounded } = PACKING;
  expect(packInput(unbounded, tensor([3], [1e9, 0, 0]))[0]![1]).toBe(1e9);
});

test("what is no tensor is told so", () => {
  for (const wrong of [undefined, null, [1, 2, 3], new Float64Array(3), { shape: [3] }]) {
    expect(() => packInput(PACKING, wrong as unknown as Tensor)).toThrow(/^input must be a tensor/);
  }
  expect(() => packInput(PACKING, { shape: [3], data: new Float64Array(2) })).toThrow(/needs 3 values, got 2/);
});
