import fc from "fast-check";
import { expect, test } from "vitest";
import { findNet, flatten, type NestedStrings, nest } from "../../src/protocol/index.ts";

const LIMITS = { axes: 4, elements: 1000 };

test("a tensor goes into arrays of arrays and comes back", () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(shapes, (shape) => {
      const items = Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => `item ${i}`);
      const nested = nest({ shape, items });
      expect(flatten(nested, "data", LIMITS)).toEqual({ shape, items });
      const last = shape.map((size) => size - 1);
      const found = last.reduce<NestedStrings>((part, index) => part[index] as NestedStrings, nested);
      expect(found).toBe(items.at(-1));
    }),
  );
});

const deep = (levels: number): unknown => (levels === 0 ? "x" : [deep(levels - 1)]);

test.each<[string, unknown, RegExp, string]>([
  ["a string alone", "x", /data must be an array/, "INVALID_MESSAGE"],
  ["nothing", undefined, /data must be an array/, "INVALID_MESSAGE"],
  ["an object", { length: 1, 0: "x" }, /data must be an array/, "INVALID_MESSAGE"],
  ["numbers", [1, 2], /data\[0\] must be a base64 string/, "INVALID_MESSAGE"],
  ["an empty array", [], /data is empty/, "INVALID_MESSAGE"],
  ["empty rows", [[], []], /data\[0\] is empty/, "INVALID_MESSAGE"],
  ["ragged rows", [["a", "b"], ["c"]], /data\[1\] has 1 entries, its neighbours have 2/, "INVALID_MESSAGE"],
  ["a row among items", ["a", ["b"]], /data\[1\] must be a base64 string/, "INVALID_MESSAGE"],
  ["an item among rows", [["a"], "b"], /data\[1\] must be an array/, "INVALID_MESSAGE"],
  ["too many axes", deep(5), /more than the 4 axes/, "INVALID_MESSAGE"],
  ["a thousand axes", deep(1000), /more than the 4 axes/, "INVALID_MESSAGE"],
  ["too many items", new Array(1001).fill("x"), /1001 ciphertexts, at most 1000/, "LIMIT_EXCEEDED"],
  ["more items than are there", [[["x"]], ...new Array(999).fill([])], /data\[1\] is empty/, "INVALID_MESSAGE"],
])("%s is refused by name", (_, nested, reason, code) => {
  expect(() => flatten(nested, "data", LIMITS)).toThrowError(expect.objectContaining({ code }));
  expect(() => flatten(nested, "data", LIMITS)).toThrowError(reason);
});

test("a net is found by its name, by an alias, and in any case, as long as that is clear", () => {
  const models = [
    { name: "lenet1", aliases: ["MNIST"], layers: [] },
    { name: "Linear", layers: [] },
    { name: "linear", layers: [] },
    { name: "a", aliases: ["A", "B"], layers: [] },
  ];
  const names = ["lenet1", "MNIST", "mnist", "LeNet1", "Linear", "linear", "A", "b"];
  expect(names.map((net) => findNet(models, net).name)).toEqual([
    ...["lenet1", "lenet1", "lenet1", "lenet1", "Linear", "linear", "a", "a"],
  ]);
  expect(() => findNet(models, "LINEAR")).toThrowError(/"LINEAR" is more than one model; there are: lenet1, MNIST, /);
  expect(() => findNet(models, "mnist2")).toThrowError(expect.objectContaining({ code: "UNKNOWN_MODEL" }));
});
