import { describe, expect, test } from "vitest";
import { loadOnnx, requireSupported } from "../../../src/builder/index.ts";
import { refusal } from "../torch/fixtures.ts";
import { ints, single } from "./specs.ts";
import {
  bytes,
  constant,
  field,
  fixed32,
  floats,
  integers,
  type ModelSpec,
  modelProto,
  node,
  nodeProto,
  type TensorSpec,
  tensorProto,
  valueProto,
} from "./writer.ts";

const ones = (...dims: number[]): TensorSpec =>
  constant(
    dims,
    Array.from({ length: dims.reduce((product, size) => product * size, 1) }, () => 1),
  );

function messageOf(spec: ModelSpec | Uint8Array): string {
  const file = spec instanceof Uint8Array ? spec : modelProto(spec);
  const { code, message } = refusal(() => requireSupported(loadOnnx(file, "m.onnx")));
  expect(message.startsWith("m.onnx: ")).toBe(true);
  return `${code} ${message}`;
}

describe("what mixes the images of a batch", () => {
  test.each<[string, ModelSpec]>([
    ["[-1]", single("Reshape", ["N", 2, 3], { s: integers(-1) })],
    ["[1, -1]", single("Reshape", ["N", 2, 3], { s: integers(1, -1) })],
    ["[-1, 3]", single("Reshape", ["N", 2, 3], { s: integers(-1, 3) })],
    ["[4, 3]", single("Reshape", [2, 2, 3], { s: integers(4, 3) })],
    ["from axis 0", single("Flatten", ["N", 2, 3], {}, { axis: { i: 0 } })],
    ["from axis 2", single("Flatten", ["N", 2, 3], {}, { axis: { i: 2 } })],
    ["moves axis 0", single("Transpose", ["N", 2, 3], {}, { perm: ints(1, 0, 2) })],
    ["moves axis 0", single("Transpose", ["N", 2])],
    ["transA", single("Gemm", ["N", 2], { w: ones(2, 2) }, { transA: { i: 1 } })],
    ["to the left", { input: ["N", 2], constants: { w: ones(2, 2) }, nodes: [node("MatMul", ["w", "x"], "y")] }],
    ["to the left", { input: ["N", 2], constants: { w: ones(2, 2) }, nodes: [node("Gemm", ["w", "x"], "y")] }],
    ["along axis 0", single("ReduceMean", ["N", 2], {}, { axes: ints(0) })],
    ["along axis 0", single("ReduceMean", ["N", 2])],
    ["along axis 0", { input: ["N", 2], nodes: [node("Concat", ["x", "x"], "y", { axis: { i: 0 } })] }],
    ["pads axis 0", single("Pad", ["N", 2], { p: integers(1, 0, 0, 0) })],
    ["along axis 0", single("Slice", ["N", 2], { s: integers(0), e: integers(1), a: integers(0) })],
    ["has an axis for them", single("Add", [2, 3], { c: ones(2, 3) })],
    ["has an axis for them", single("Mul", ["N", 3], { c: ones(4, 1) })],
    ["without axes", single("Squeeze", [1, 1, 3])],
    ["before theirs", single("Unsqueeze", ["N", 3], { a: integers(0) })],
  ])("%s", (words, spec) => {
    const message = messageOf(spec);
    expect(message).toMatch(/^UNSUPPORTED_LAYER m\.onnx: node 0 \(\w+\) mixes the images of a batch \(/);
    expect(message).toContain(words);
  });

  test("a number of images that was computed with", () => {
    const nodes = [
      node("Shape", ["x"], "s"),
      node("Slice", ["s", "zero", "one"], "n"),
      node("Mul", ["n", "two"], "d"),
      node("Concat", ["d", "rest"], "t", { axis: { i: 0 } }),
      node("Reshape", ["x", "t"], "y"),
    ];
    const constants = { zero: integers(0), one: integers(1), two: integers(2), rest: integers(-1) };
    expect(messageOf({ input: ["N", 4], constants, nodes })).toMatch(/UNSUPPORTED_LAYER .*node 2 \(Mul\) mixes/);
  });
});

describe("what cannot run encrypted, or is not known here", () => {
  test.each<[string, ModelSpec]>([
    ["two different tensors", { input: ["N", 2], nodes: [node("Neg", ["x"], "n"), node("Mul", ["x", "n"], "y")] }],
    ["both depend on the image", { input: ["N", 2, 2], nodes: [node("MatMul", ["x", "x"], "y")] }],
    ["divides by a tensor", { input: ["N", 2], constants: { c: ones(2) }, nodes: [node("Div", ["c", "x"], "y")] }],
    ["divides by zero", single("Div", ["N", 2], { c: constant([2], [1, 0]) })],
    ["weight that depends on the image", { input: ["N", 2, 3, 3], nodes: [node("Conv", ["x", "x"], "y")] }],
    [
      "must have the same",
      { input: ["N", 2, 3], nodes: [node("ReduceMean", ["x"], "m", { axes: ints(1) }), node("Sub", ["x", "m"], "y")] },
    ],
    ["the tensor not", single("Add", ["N", 1], { c: ones(3) })],
    ["the tensor not", single("Add", ["N", 3], { c: ones(2, 5, 3) })],
    ["slides over a tensor", single("Conv", ["N", 1, 3, 3, 3], { w: ones(1, 1, 2, 2, 2) })],
    [
      'by mode "reflect"',
      single("Pad", ["N", 2, 3, 3], { p: integers(0, 0, 1, 1, 0, 0, 1, 1) }, { mode: { s: "reflect" } }),
    ],
    ["pads with 1", single("Pad", ["N", 2], { p: integers(0, 1, 0, 1), v: ones() })],
    ["dilations", single("AveragePool", ["N", 1, 5, 5], {}, { kernel_shape: ints(2, 2), dilations: ints(2, 2) })],
    [
      "rounds up",
      single(
        "AveragePool",
        ["N", 1, 5, 5],
        {},
        { kernel_shape: ints(2, 2), strides: ints(2, 2), pads: ints(0, 0, 2, 2), ceil_mode: { i: 1 } },
      ),
    ],
    ['the attribute "colour"', single("Neg", ["N", 2], {}, { colour: { i: 1 } })],
    [
      "blocks of equal pixels",
      {
        input: ["N", 1, 2, 2],
        constants: { s: constant([4], [1, 1, 2, 2]) },
        nodes: [node("Resize", ["x", "", "s"], "y", { mode: { s: "linear" } })],
      },
    ],
    ["to int64", single("Cast", ["N", 2], {}, { to: { i: 7 } })],
    [
      "only parts in their order",
      single("Slice", ["N", 4], { s: integers(3), e: integers(-9), a: integers(1), p: integers(-1) }),
    ],
    [
      "more outputs than",
      single("ConvTranspose", ["N", 1, 3, 3], { w: ones(1, 1, 1, 1) }, { output_shape: ints(5, 5) }),
    ],
    ["does not run encrypted", single("LSTM", ["N", 2, 3])],
    [
      "works on constants alone",
      { input: ["N", 2], constants: { c: ones(2) }, nodes: [node("Exp", ["c"], "e"), node("Add", ["x", "e"], "y")] },
    ],
    [
      "a further output",
      { input: ["N", 2], nodes: [node("Dropout", ["x"], ["d", "mask"]), node("Add", ["d", "mask"], "y")] },
    ],
    ["does not run encrypted: ", { input: ["N", 2], nodes: [node("Relu", ["x"], "r"), node("Neg", ["r"], "y")] }],
  ])("%s", (words, spec) => {
    const message = messageOf(spec);
    expect(message).toMatch(/^UNSUPPORTED_LAYER m\.onnx: .*node \d \(\w+\)/);
    expect(message).toContain(words);
  });

  test("operators of other domains and functions of the file are not run", () => {
    const custom = { ...node("MatMul", ["x", "w"], "y"), domain: "com.example" };
    const model: ModelSpec = { input: ["N", 2], constants: { w: ones(2, 2) }, nodes: [custom] };
    expect(messageOf(model)).toContain('the domain "com.example"');
    expect(messageOf({ ...model, functions: [["com.example", "MatMul"]] })).toContain("a function of the file's own");
    const standard = single("MatMul", ["N", 2], { w: ones(2, 2) });
    expect(messageOf({ ...standard, functions: [["ai.onnx", "MatMul"]] })).toContain("a function of the file's own");
    // One that nobody calls does not matter.
    requireSupported(loadOnnx(modelProto({ ...standard, functions: [["ai.onnx", "Conv"]] })));
    requireSupported(loadOnnx(modelProto({ ...standard, nodes: [{ ...standard.nodes[0]!, domain: "ai.onnx" }] })));
  });

  test("a network has one image and one result, of fixed sizes", () => {
    const graph = bytes(
      field(1, nodeProto(node("Add", ["x", "z"], "y"))),
      field(11, valueProto("x", ["N", 2])),
      field(11, valueProto("z", ["N", 2])),
      field(12, valueProto("y", [])),
    );
    const opset = field(8, field(2, 13));
    expect(messageOf(bytes(field(1, 8), field(7, graph), opset))).toContain("2 inputs and 1 outputs");
    expect(messageOf({ input: ["N"], nodes: [node("Neg", ["x"], "y")] })).toContain("the shape ?");
    expect(messageOf({ input: ["N", 1, "H", "W"], nodes: [node("Neg", ["x"], "y")] })).toContain("the shape ?x1x?x?");
    expect(messageOf({ input: ["N", 2 ** 23], nodes: [node("Neg", ["x"], "y")] })).toMatch(/^LIMIT_EXCEEDED/);
    expect(messageOf({ input: ["N", 2], constants: { c: ones(1) }, nodes: [node("Neg", ["c"], "y")] })).toContain(
      "does not depend",
    );
  });

  test.each([6, 22, 0, -1])("operator set %i is of another version", (opset) => {
    expect(messageOf({ opset, input: ["N", 2], nodes: [node("Neg", ["x"], "y")] })).toMatch(
      /^UNSUPPORTED_FILE .*7 to 21/,
    );
  });
});

describe("what the standard does not allow", () => {
  test.each<[string, ModelSpec]>([
    ["strides [0, 1]", single("Conv", ["N", 1, 3, 3], { w: ones(1, 1, 1, 1) }, { strides: ints(0, 1) })],
    ["kernel_shape [2, 2]", single("Conv", ["N", 1, 3, 3], { w: ones(1, 1, 1, 1) }, { kernel_shape: ints(2, 2) })],
    ["expected 4 axes", single("Conv", ["N", 1, 3, 3], { w: ones(1, 1, 1) })],
    ['auto_pad "SAME"', single("Conv", ["N", 1, 3, 3], { w: ones(1, 1, 1, 1) }, { auto_pad: { s: "SAME" } })],
    ["the kernel spans 5", single("Conv", ["N", 1, 3, 3], { w: ones(1, 1, 5, 5) })],
    ["takes an image of 2 channels", single("Conv", ["N", 1, 3, 3], { w: ones(1, 2, 1, 1) })],
    ["kernel_shape []", single("AveragePool", ["N", 1, 3, 3])],
    [
      "in the padding alone",
      single("AveragePool", ["N", 1, 3, 3], {}, { kernel_shape: ints(1, 1), pads: ints(1, 1, 1, 1) }),
    ],
    ["its alpha is Infinity", single("Gemm", ["N", 1], { w: ones(1, 1) }, { alpha: { f: Number.POSITIVE_INFINITY } })],
    ["its transB is 2", single("Gemm", ["N", 1], { w: ones(1, 1) }, { transB: { i: 2 } })],
    ["its axis is not a single integer", single("Flatten", ["N", 1], {}, { axis: { s: "one" } })],
    ["Linear takes 3 features", single("MatMul", ["N", 2], { w: ones(3, 2) })],
    ["perm [0, 1]", single("Transpose", ["N", 2, 3], {}, { perm: ints(0, 1) })],
    ["is not of size 1", single("Squeeze", ["N", 2, 1], { a: integers(1) })],
    ["the axis 5", single("Squeeze", ["N", 2, 1], { a: integers(5) })],
    ["variance", single("BatchNormalization", ["N", 1], { a: ones(1), b: ones(1), c: ones(1) })],
    [
      "runningVar + eps must be positive",
      single("BatchNormalization", ["N", 1], { a: ones(1), b: ones(1), c: ones(1), d: constant([1], [-1]) }),
    ],
    [
      "splits 3 into [1, 1]",
      {
        input: ["N", 3],
        constants: { p: integers(1, 1) },
        nodes: [node("Split", ["x", "p"], ["y", "z"], { axis: { i: 1 } })],
      },
    ],
    ["expected floats", single("Conv", ["N", 1, 1, 1], { w: { dims: [1, 1, 1, 1], values: [1], integers: true } })],
    ["expected integers", single("Reshape", ["N", 1], { s: ones(2) })],
    ["is NaN at element 1", single("MatMul", ["N", 2], { w: constant([2, 1], [1, Number.NaN]) })],
    [
      "joins constants",
      {
        input: ["N", 2],
        constants: { a: ones(2), b: integers(1) },
        nodes: [node("Concat", ["a", "b"], "c", { axis: { i: 0 } }), node("Add", ["x", "c"], "y")],
      },
    ],
  ])("%s", (words, spec) => {
    const message = messageOf(spec);
    expect(message).toMatch(/^INVALID_FILE m\.onnx: node \d \(\w+\)/);
    expect(message).toContain(words);
  });

  test("a chain of constants cannot ask for more memory than its limit", () => {
    const big = [...Array(30).keys()].map((i) => node("ConstantOfShape", ["s"], `c${i}`));
    const used = big.map(({ outputs }, i) =>
      node("Add", [i === 0 ? "x" : `a${i - 1}`, outputs[0]!], i === 29 ? "y" : `a${i}`),
    );
    const spec: ModelSpec = {
      input: ["N", 1024, 1024],
      constants: { s: integers(1024, 1024) },
      nodes: [...big, ...used],
    };
    expect(messageOf(spec)).toMatch(/^LIMIT_EXCEEDED .*4194304 elements of constants/);
  });

  test("constants have the elements that their shape and type say, in one form", () => {
    const file = (tensor: Uint8Array): Uint8Array => {
      const graph = bytes(
        field(1, nodeProto(node("MatMul", ["x", "w"], "y"))),
        field(5, tensor),
        field(11, valueProto("x", ["N", 2])),
        field(12, valueProto("y", [])),
      );
      return bytes(field(1, 8), field(7, graph), field(8, field(2, 13)));
    };
    const shape = bytes(field(1, 2), field(1, 1), field(8, "w"));
    const raw = field(9, floats([1, 2]));
    requireSupported(loadOnnx(file(bytes(shape, field(2, 1), raw))));
    const typed = field(4, floats([1, 2]));
    requireSupported(loadOnnx(file(bytes(shape, field(2, 1), typed))));
    requireSupported(loadOnnx(file(bytes(shape, field(2, 1), fixed32(4, 1), fixed32(4, 2)))));
    expect(messageOf(file(bytes(shape, field(2, 1), raw, typed)))).toContain("two forms");
    expect(messageOf(file(bytes(shape, field(2, 11), typed)))).toContain("the form of another type");
    expect(messageOf(file(bytes(shape, field(2, 11), raw)))).toContain("needs 2 elements of float64, it has 1");
    expect(messageOf(file(bytes(shape, field(2, 1), field(9, Uint8Array.of(1, 2, 3)))))).toContain("it has 0.75");
    expect(messageOf(file(bytes(shape, field(2, 1), field(3, ""), raw)))).toContain("a segment");
    expect(messageOf(file(bytes(shape, field(2, 1), field(14, 1))))).toMatch(/^UNSUPPORTED_FILE .*another file/);
  });

  test("two tensors of one name, two graphs, and an attribute given twice", () => {
    const w = tensorProto("w", ones(1));
    const graph = bytes(field(5, w), field(5, w));
    expect(messageOf(bytes(field(1, 8), field(7, graph)))).toContain('two initializers are called "w"');
    expect(messageOf(bytes(field(7, ""), field(7, "")))).toContain("two graphs");
    const twice = field(5, bytes(field(1, "axis"), field(3, 1)));
    expect(messageOf(field(7, field(1, bytes(field(4, "Flatten"), twice, twice))))).toContain(
      'two attributes called "axis"',
    );
  });
});
