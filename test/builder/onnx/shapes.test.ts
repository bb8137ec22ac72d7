import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batches, ints, random, single } from "./specs.ts";
import { expectAgreement, load } from "./support.ts";
import { constant, integers, type ModelSpec, node } from "./writer.ts";

describe("shapes", () => {
  test("Reshape by constants, zeros, one size left open, and the number of images", () => {
    fc.assert(
      fc.property(
        batches,
        fc.constantFrom([0, 24], [-1, 24], [0, -1], [0, 2, -1], [-1, 4, 6], [0, 0, 12], [0, 4, 3, 2], [0, 2, 3, 4]),
        (batch, target) => {
          expectAgreement(single("Reshape", [batch, 2, 3, 4], { s: integers(...target) }));
          if (typeof batch === "number" && target[0] === 0 && target[1] !== 0) {
            const fixed = [batch, ...target.slice(1)];
            expectAgreement(
              single("Reshape", [batch, 2, 3, 4], { s: integers(...fixed) }, { allowzero: { i: 1 } }, 14),
            );
          }
        },
      ),
    );
    expect(expectAgreement(single("Reshape", ["N", 2, 3, 4], { s: integers(0, -1) }))).toEqual(["Flatten"]);
  });

  test("the shape that exporters compute from the image's own", () => {
    const constants = {
      zero: integers(0),
      one: constant([], [0]),
      rest: integers(-1),
      i: { dims: [], values: [0], integers: true },
    };
    const nodes = [
      node("Shape", ["x"], "s"),
      node("Gather", ["s", "i"], "n", { axis: { i: 0 } }),
      node("Unsqueeze", ["n", "zero"], "u"),
      node("Concat", ["u", "rest"], "t", { axis: { i: 0 } }),
      node("Reshape", ["x", "t"], "y"),
    ];
    for (const batch of ["N", 1, 2])
      expect(expectAgreement({ input: [batch, 2, 3], constants, nodes })).toEqual(["Flatten"]);
  });

  test.each([
    [["N", 2, 3, 4], 1],
    [["N", 2, 3, 4], -3],
    [["N", 1, 3, 4], 2],
    [["N", 6], 1],
  ] as [(string | number)[], number][])("Flatten of %j from axis %i", (input, axis) => {
    expectAgreement(single("Flatten", input, {}, { axis: { i: axis } }));
  });

  test("Transpose of all axes but the batch", () => {
    const orders = fc.shuffledSubarray([1, 2, 3], { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(orders, (order) => {
        expectAgreement(single("Transpose", ["N", 2, 3, 4], {}, { perm: ints(0, ...order) }));
      }),
    );
  });

  test("Squeeze and Unsqueeze, whose axes are an attribute until version 12", () => {
    for (const axes of [[1], [-1], [1, 3], [3, 1]]) {
      const opened = (late: boolean, op: string): ModelSpec =>
        single(
          op,
          ["N", ...(op === "Squeeze" ? [1, 5, 1] : [5, 2])],
          late ? { a: integers(...axes) } : {},
          late ? {} : { axes: ints(...axes) },
          late ? 13 : 11,
        );
      for (const op of ["Squeeze", "Unsqueeze"]) for (const late of [true, false]) expectAgreement(opened(late, op));
    }
  });

  test("Pad with zeros, or cropping: an attribute until version 10, axes of its own since 18", () => {
    const side = fc.integer({ min: -1, max: 2 });
    fc.assert(
      fc.property(fc.array(side, { minLength: 6, maxLength: 6 }), fc.boolean(), ([a, b, c, d, e, f], late) => {
        const pads = [0, a!, b!, c!, 0, d!, e!, f!];
        const model = late
          ? single("Pad", ["N", 3, 4, 5], { p: integers(...pads) })
          : single("Pad", ["N", 3, 4, 5], {}, { pads: ints(...pads) }, 10);
        expectAgreement(model);
      }),
    );
    const zero = constant([], [0]);
    expectAgreement(
      single(
        "Pad",
        ["N", 3, 4, 5],
        { p: integers(1, 2, 3, 0), z: zero, a: integers(-1, 1) },
        { mode: { s: "constant" } },
        18,
      ),
    );
    expectAgreement(single("Pad", ["N", 4, 5], { p: integers(0, 0, 2, 0, 0, 1) }));
    expectAgreement(single("Pad", ["N", 4], { p: integers(0, 1, 0, 2) }));
    expect(expectAgreement(single("Pad", ["N", 3, 4, 5], { p: integers(0, 0, 1, 2, 0, 0, 3, 4) }))).toEqual([
      "ZeroPad2d",
    ]);
  });

  test.each(["DCR", "CRD"])("DepthToSpace by mode %s, and back", (mode) => {
    expectAgreement(single("DepthToSpace", ["N", 12, 2, 3], {}, { blocksize: { i: 2 }, mode: { s: mode } }));
    expectAgreement(single("SpaceToDepth", ["N", 3, 4, 6], {}, { blocksize: { i: 2 } }));
  });

  test("enlarging by whole numbers", () => {
    const scales = constant([4], [1, 1, 2, 3]);
    const attributes = { coordinate_transformation_mode: { s: "asymmetric" }, nearest_mode: { s: "floor" } };
    expectAgreement({
      input: ["N", 2, 3, 4],
      constants: { s: scales },
      nodes: [node("Resize", ["x", "", "s"], "y", { ...attributes, mode: { s: "nearest" } })],
    });
    expectAgreement(single("Upsample", ["N", 2, 3, 4], { s: scales }, { mode: { s: "nearest" } }, 9));
  });
});

describe("graphs", () => {
  const conv = random(1, [2, 2, 3, 3]);
  const pads = { pads: ints(1, 1, 1, 1) };

  test("a shortcut, added or taken away", () => {
    for (const op of ["Add", "Sub", "Sum"]) {
      const nodes = [node("Conv", ["x", "w"], "c", pads), node(op, ["x", "c"], "y")];
      const kinds = expectAgreement({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes });
      expect(kinds.at(-1)).toBe("Add");
    }
  });

  test("x + x, and a sum of more than two with a constant", () => {
    expectAgreement({ input: ["N", 3], nodes: [node("Add", ["x", "x"], "y")] });
    const nodes = [node("Neg", ["x"], "n"), node("Mul", ["x", "x"], "s"), node("Sum", ["x", "b", "n", "s"], "y")];
    expectAgreement({ input: ["N", 3], constants: { b: random(4, [3]) }, nodes });
  });

  test.each([1, 2, -1])("Concat along axis %i", (axis) => {
    const nodes = [node("Mul", ["x", "x"], "s"), node("Concat", ["x", "s", "x"], "y", { axis: { i: axis } })];
    expect(expectAgreement({ input: ["N", 2, 3, 4], nodes })).toEqual(["Square", "Concat"]);
  });

  test("Split and Slice, with what is left over", () => {
    const split = node("Split", ["x", "sizes"], ["a", "b", "c"], { axis: { i: 1 } });
    const parts: ModelSpec = {
      input: ["N", 6, 3],
      constants: { sizes: integers(1, 3, 2) },
      nodes: [split, node("Concat", ["c", "a", "b"], "y", { axis: { i: 1 } })],
    };
    expectAgreement(parts);
    const even = node("Split", ["x"], ["a", "b"], { axis: { i: -1 }, num_outputs: { i: 2 } });
    const uneven: ModelSpec = {
      ...{ opset: 18, input: ["N", 2, 5] },
      nodes: [even, node("Concat", ["b", "a"], "y", { axis: { i: 2 } })],
    };
    expectAgreement(uneven);
    const cut = single("Slice", ["N", 5, 6, 7], {
      starts: integers(0, 1, -5, 2),
      ends: integers(2 ** 31 - 1, 9_000_000_000, -1, 6),
      axes: integers(0, 1, 2, -1),
      steps: integers(1, 1, 2, 3),
    });
    expectAgreement(cut);
  });

  test("layers that the output does not depend on are left out, whatever they are", () => {
    const nodes = [
      node("LSTM", ["x"], "t"),
      node("Conv", ["x", "w"], "c", pads),
      node("Shape", ["c"], "s"),
      node("Reshape", ["x", "s"], "y"),
    ];
    const model = load({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes });
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual(["Identity"]);
    const more = [...nodes, node("Mul", ["y", "y"], "z")];
    const square = load({ input: ["N", 2, 5, 5], constants: { w: conv }, nodes: more, output: "z" });
    expect(square.layers).toMatchObject([{ index: 0, layer: { kind: "Square" } }]);
  });
});
