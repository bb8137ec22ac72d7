import { describe, expect, test } from "vitest";
import { loadOnnx, type SourceModel } from "../../../src/builder/index.ts";
import { refusal } from "../torch/fixtures.ts";
import { expectAgreement } from "./support.ts";
import { constant, modelProto, type NodeSpec, node } from "./writer.ts";

const CONSTANTS = {
  half: constant([], [0.5]),
  one: constant([], [1]),
  two: constant([1], [2]),
  three: constant([], [3]),
  root: constant([], [Math.SQRT2]),
  inverse: constant([], [Math.SQRT1_2]),
  cubic: constant([], [0.044715]),
  slope: constant([], [Math.sqrt(2 / Math.PI)]),
};

const read = (nodes: readonly NodeSpec[]): SourceModel =>
  loadOnnx(modelProto({ input: ["N", 4], constants: CONSTANTS, nodes }), "m.onnx");
const mul = (left: string, right: string, output: string): NodeSpec => node("Mul", [left, right], output);

/** The kinds of a model's layers; it must give what its nodes give one by one. */
function kindsOf(nodes: readonly NodeSpec[], tolerance?: number): string[] {
  return expectAgreement({ input: ["N", 4], constants: CONSTANTS, nodes }, 1, tolerance);
}

describe("activations that are written as several nodes", () => {
  test.each([
    ["x", "s"],
    ["s", "x"],
  ])("SiLU as %s times %s", (left, right) => {
    expect(kindsOf([node("Sigmoid", ["x"], "s"), mul(left, right, "y")])).toEqual(["SiLU"]);
  });

  test("a sigmoid that something else reads, too, keeps its place", () => {
    const nodes = [node("Sigmoid", ["x"], "s"), mul("x", "s", "l"), node("Add", ["l", "s"], "y")];
    expect(kindsOf(nodes)).toEqual(["Sigmoid", "SiLU", "Add"]);
  });

  test("Mish, and Hardswish with PyTorch's slope alone", () => {
    const soft = [node("Softplus", ["x"], "p"), node("Tanh", ["p"], "t"), mul("x", "t", "y")];
    expect(kindsOf(soft)).toEqual(["Mish"]);
    const hard = (alpha: number): NodeSpec[] => [
      node("HardSigmoid", ["x"], "h", { alpha: { f: alpha } }),
      mul("x", "h", "y"),
    ];
    // The slope is in single precision there.
    expect(kindsOf(hard(1 / 6), 1e-7)).toEqual(["Hardswish"]);
    expect(refusal(() => read(hard(0.2))).message).toContain("two different tensors");
  });

  const erf = [node("Div", ["x", "root"], "d"), node("Erf", ["d"], "e"), node("Add", ["e", "one"], "f")];

  test.each([
    ["x (1 + erf) / 2", [...erf, mul("x", "f", "p"), mul("p", "half", "y")]],
    ["(x / 2) (1 + erf)", [...erf, mul("x", "half", "p"), mul("p", "f", "y")]],
    ["(1 + erf) (x / 2)", [...erf, mul("half", "x", "p"), mul("f", "p", "y")]],
    ["x ((1 + erf) / 2)", [...erf, mul("f", "half", "p"), mul("x", "p", "y")]],
    [
      "with a product in place of the quotient",
      [
        mul("inverse", "x", "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["one", "e"], "f"),
        mul("f", "x", "p"),
        mul("half", "p", "y"),
      ],
    ],
  ] as [string, NodeSpec[]][])("GELU as %s", (_, nodes) => {
    expect(kindsOf(nodes)).toEqual(["GELU"]);
  });

  const inner = (cube: readonly NodeSpec[]): NodeSpec[] => [
    ...cube,
    mul("cubic", "c", "t"),
    node("Add", ["x", "t"], "a"),
    mul("a", "slope", "g"),
    node("Tanh", ["g"], "h"),
    node("Add", ["h", "one"], "f"),
    mul("x", "f", "p"),
    mul("p", "half", "y"),
  ];

  test.each([
    ["a power", [node("Pow", ["x", "three"], "c")]],
    ["products", [mul("x", "x", "s"), mul("s", "x", "c")]],
    ["a square and a product", [node("Pow", ["x", "two"], "s"), mul("x", "s", "c")]],
  ] as [string, NodeSpec[]][])("GELU by tanh, with the cube as %s", (_, cube) => {
    expect(kindsOf(inner(cube))).toEqual(["GELU"]);
  });

  test.each([
    ["another factor than one half", [...erf, mul("x", "f", "p"), mul("p", "two", "y")]],
    ["x twice", [...erf, mul("x", "f", "p"), mul("x", "half", "q"), mul("p", "q", "y")]],
    ["no factor", [...erf, mul("x", "f", "y")]],
    [
      "another argument",
      [
        node("Div", ["x", "two"], "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["e", "one"], "f"),
        mul("x", "f", "p"),
        mul("p", "half", "y"),
      ],
    ],
    [
      "another sum",
      [
        node("Div", ["x", "root"], "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["e", "two"], "f"),
        mul("x", "f", "p"),
        mul("p", "half", "y"),
      ],
    ],
    ["the square of x before it", [...erf, mul("x", "x", "s"), mul("s", "f", "p"), mul("p", "half", "y")]],
    ["a cube that is none", inner([mul("x", "x", "s"), mul("s", "s", "c")])],
  ] as [string, NodeSpec[]][])("what looks like GELU with %s is none", (_, nodes) => {
    const { code, message } = refusal(() => read(nodes));
    expect(code).toBe("UNSUPPORTED_LAYER");
    expect(message).not.toContain("(GELU)");
  });
});
