/** Nodes of constants alone, which exporters write to work out shapes: they are computed while the graph is read. */

import { type Shape, sizeOf } from "../../plan/index.ts";
import { axisOf, invalid, type Operation, unsupported } from "./operation.ts";
import { isFloatType, isIntegerType, readTensorData, typeName } from "./tensors.ts";
import { type Constant, countElements, type FloatConstant, type IntegerConstant, type Size } from "./values.ts";

type Fold = (operation: Operation) => Constant | readonly Constant[];

/** By operator. */
export const FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ["Add", arithmetic((a, b) => a + b)],
  ["Cast", cast],
  ["Concat", concat],
  ["Constant", constant],
  ["ConstantOfShape", constantOfShape],
  ["Div", arithmetic((a, b) => a / b, Math.trunc)],
  ["Gather", gather],
  ["Floor", each(Math.floor)],
  ["Identity", ({ inputs }) => inputs[0] as Constant],
  // Of the divisor's sign: the other kind is for floats.
  ["Mod", arithmetic((a, b) => a - b * Math.floor(a / b))],
  ["Mul", arithmetic((a, b) => a * b)],
  ["Neg", each((a) => -a)],
  ["Pow", arithmetic((a, b) => a ** b)],
  ["Reshape", reshape],
  ["Slice", slice],
  ["Sqrt", each(Math.sqrt)],
  ["Squeeze", squeeze],
  ["Sub", arithmetic((a, b) => a - b)],
  ["Transpose", transpose],
  ["Unsqueeze", unsqueeze],
]);

function input(operation: Operation, at: number): Constant {
  const value = operation.inputs[at];
  if (value === undefined || value.kind === "activation") throw invalid(operation, `has no input ${at}`);
  return value;
}

/** A constant of other elements of one. */
function pick(operation: Operation, from: Constant, shape: Shape, source: (at: number) => number): Constant {
  const length = countElements(shape, from.kind, operation.label);
  operation.spendMade(length);
  if (from.kind === "floats") {
    return { kind: "floats", shape, data: Float64Array.from({ length }, (_, at) => from.data[source(at)]) };
  }
  return { kind: "integers", shape, data: Array.from({ length }, (_, at) => from.data[source(at)]) };
}

function floats(operation: Operation, shape: Shape, value: (at: number) => number): FloatConstant {
  const length = countElements(shape, "floats", operation.label);
  operation.spendMade(length);
  const data = Float64Array.from({ length }, (_, at) => value(at));
  if (data.every(Number.isFinite)) return { kind: "floats", shape, data };
  throw invalid(operation, "makes a constant that is not finite");
}

function integers(operation: Operation, shape: Shape, value: (at: number) => Size): IntegerConstant {
  const length = countElements(shape, "integers", operation.label);
  operation.spendMade(length);
  const data = Array.from({ length }, (_, at) => value(at));
  if (data.every((size) => size === "batch" || Number.isFinite(size))) return { kind: "integers", shape, data };
  throw invalid(operation, "makes an integer that is none");
}

function constant(operation: Operation): Constant {
  const { attributes, label } = operation;
  const tensor = attributes.tensor("value");
  if (tensor !== undefined) return readTensorData(tensor, `${label}: its value`, operation.budget);
  const names = operation.node.attributes;
  const float = attributes.floats("value_floats");
  const integer = attributes.integers("value_ints");
  if (names.has("value_float")) return floats(operation, [], () => attributes.float("value_float", 0));
  if (names.has("value_int")) return integers(operation, [], () => attributes.integer("value_int"));
  if (float !== undefined) return floats(operation, [float.length], (at) => float[at]);
  if (integer !== undefined) return integers(operation, [integer.length], (at) => integer[at]);
  throw unsupported(operation, "holds no dense tensor of numbers");
}

function constantOfShape(operation: Operation): Constant {
  const shape = operation.numbers(0, "shape") ?? [];
  const tensor = operation.attributes.tensor("value");
  const value: Constant = tensor
    ? readTensorData(tensor, `${operation.label}: its value`, operation.budget)
    : { kind: "floats", shape: [1], data: Float64Array.of(0) };
  if (value.data.length !== 1) throw invalid(operation, `repeats a value of ${value.data.length} elements`);
  return pick(operation, value, [...shape], () => 0);
}

function cast(operation: Operation): Constant {
  const to = operation.attributes.integer("to");
  operation.attributes.ignore("saturate");
  const from = input(operation, 0);
  if (isFloatType(to)) {
    if (from.kind === "floats") return from;
    const numbers = operation.numbers(0, "value") ?? [];
    return floats(operation, from.shape, (at) => numbers[at]);
  }
  if (!isIntegerType(to)) throw unsupported(operation, `makes ${typeName(to)} of a constant`);
  if (from.kind === "integers") return from;
  return integers(operation, from.shape, (at) => Math.trunc(from.data[at]));
}

/** An operation on each element of one tensor of floats. */
function each(of: (value: number) => number): Fold {
  return (operation) => {
    const from = input(operation, 0);
    if (from.kind === "floats") return floats(operation, from.shape, (at) => of(from.data[at]));
    const numbers = operation.numbers(0, "value") ?? [];
    return integers(operation, from.shape, (at) => of(numbers[at]));
  };
}

/** An operation on the elements of two tensors, of which one is repeated to the shape of the other where it is smaller. */
function arithmetic(of: (left: number, right: number) => number, whole = (value: number): number => value): Fold {
  return (operation) => {
    const [left, right] = [input(operation, 0), input(operation, 1)];
    const rank = Math.max(left.shape.length, right.shape.length);
    const shapes = [left, right].map(({ shape }) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
    const shape = shapes[0].map((size, axis) => (size === 1 ? shapes[1][axis] : size));
    if (shapes[1].some((size, axis) => size !== 1 && size !== shape[axis])) {
      throw invalid(operation, `combines constants of ${left.shape.join("x")} and ${right.shape.join("x")}`);
    }
    const [a, b] = shapes.map((own) =>
      sourceIndex(
        shape,
        own.map((size, axis) => (size === 1 ? 0 : sizeOf(own.slice(axis + 1)))),
      ),
    );
    if (left.kind === "floats" && right.kind === "floats") {
      return floats(operation, shape, (at) => of(left.data[a(at)], right.data[b(at)]));
    }
    if (left.kind !== right.kind) throw invalid(operation, "combines floats and integers");
    const [x, y] = [operation.numbers(0, "value") ?? [], operation.numbers(1, "value") ?? []];
    return integers(operation, shape, (at) => whole(of(x[a(at)], y[b(at)])));
  };
}

/** From an index into a tensor of this shape to one into another, whose strides along the same axes are given. */
function sourceIndex(shape: Shape, strides: readonly number[]): (at: number) => number {
  return (at) => {
    let rest = at;
    let source = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return source;
  };
}

function concat(operation: Operation): Constant {
  const parts = operation.inputs.map((_, at) => input(operation, at));
  const [first] = parts;
  if (first === undefined) throw invalid(operation, "has no inputs");
  const axis = axisOf(operation, operation.attributes.integer("axis"), first.shape.length);
  const fits = parts.every(
    ({ kind, shape }) =>
      kind === first.kind &&
      shape.length === first.shape.length &&
      shape.every((size, at) => at === axis || size === first.shape[at]),
  );
  if (!fits) throw invalid(operation, `joins constants of ${parts.map(({ shape }) => shape.join("x")).join(" and ")}`);
  const lengths = parts.map(({ shape }) => shape[axis]);
  const shape = first.shape.map((size, at) => (at === axis ? lengths.reduce((sum, length) => sum + length, 0) : size));
  const inner = sizeOf(shape.slice(axis + 1));
  const locate = (at: number): readonly [part: number, index: number] => {
    let along = Math.floor(at / inner) % shape[axis];
    const outer = Math.floor(at / (inner * shape[axis]));
    let part = 0;
    while (along >= lengths[part]) along -= lengths[part++];
    return [part, (outer * lengths[part] + along) * inner + (at % inner)];
  };
  const at = (index: number): Size => {
    const [part, source] = locate(index);
    return parts[part].data[source];
  };
  return first.kind === "floats"
    ? floats(operation, shape, at as (index: number) => number)
    : integers(operation, shape, at);
}

function gather(operation: Operation): Constant {
  const from = input(operation, 0);
  const indices = operation.integers(1, "indices");
  const picked = operation.numbers(1, "indices") ?? [];
  const axis = axisOf(operation, operation.attributes.integer("axis", 0), from.shape.length);
  const length = from.shape[axis];
  const wanted = picked.map((index) => axisOf(operation, index, length));
  const inner = sizeOf(from.shape.slice(axis + 1));
  const shape = [...from.shape.slice(0, axis), ...(indices?.shape ?? []), ...from.shape.slice(axis + 1)];
  return pick(operation, from, shape, (at) => {
    const outer = Math.floor(at / (inner * wanted.length));
    return (outer * length + wanted[Math.floor(at / inner) % wanted.length]) * inner + (at % inner);
  });
}

function slice(operation: Operation): Constant {
  const { attributes } = operation;
  const from = input(operation, 0);
  const starts = operation.numbers(1, "starts") ?? attributes.integers("starts") ?? [];
  const ends = operation.numbers(2, "ends") ?? attributes.integers("ends") ?? [];
  const axes = operation.numbers(3, "axes") ?? attributes.integers("axes") ?? starts.map((_, axis) => axis);
  const steps = operation.numbers(4, "steps") ?? starts.map(() => 1);
  if ([ends, axes, steps].some((list) => list.length !== starts.length)) {
    throw invalid(operation, "has lists of starts, ends, axes and steps that differ in length");
  }
  const first = from.shape.map(() => 0);
  const step = from.shape.map(() => 1);
  const shape = [...from.shape];
  for (const [i, given] of axes.entries()) {
    const axis = axisOf(operation, given, shape.length);
    const size = from.shape[axis];
    if (steps[i] === 0) throw invalid(operation, "has a step of 0");
    // Backwards a slice may end before the first element.
    const [low, high] = steps[i] > 0 ? [0, size] : [-1, size - 1];
    const clamp = (at: number): number => Math.min(high, Math.max(low, at < 0 ? at + size : at));
    [first[axis], step[axis]] = [clamp(starts[i]), steps[i]];
    shape[axis] = Math.max(0, Math.ceil((clamp(ends[i]) - first[axis]) / step[axis]));
  }
  const strides = from.shape.map((_, axis) => sizeOf(from.shape.slice(axis + 1)));
  const offset = first.reduce((sum, at, axis) => sum + at * strides[axis], 0);
  const index = sourceIndex(
    shape,
    strides.map((stride, axis) => stride * step[axis]),
  );
  return pick(operation, from, shape, (at) => offset + index(at));
}

function transpose(operation: Operation): Constant {
  const from = input(operation, 0);
  const rank = from.shape.length;
  const given = operation.attributes.integers("perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = given.map((axis) => axisOf(operation, axis, rank));
  if (new Set(perm).size !== rank || perm.length !== rank) throw invalid(operation, `has perm [${given.join(", ")}]`);
  const strides = perm.map((axis) => sizeOf(from.shape.slice(axis + 1)));
  const shape = perm.map((axis) => from.shape[axis]);
  return pick(operation, from, shape, sourceIndex(shape, strides));
}

function reshape(operation: Operation): Constant {
  const from = input(operation, 0);
  const zeros = operation.attributes.flag("allowzero", false);
  const target = (operation.numbers(1, "shape") ?? []).map((size, axis) =>
    size === 0 && !zeros ? (from.shape[axis] ?? 0) : size,
  );
  const known = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const shape = target.map((size) => (size === -1 ? from.data.length / known : size));
  return relabelled(operation, from, shape);
}

function squeeze(operation: Operation): Constant {
  const from = input(operation, 0);
  const rank = from.shape.length;
  const given = operation.numbers(1, "axes") ?? operation.attributes.integers("axes");
  const axes = given?.map((axis) => axisOf(operation, axis, rank));
  return relabelled(
    operation,
    from,
    from.shape.filter((size, axis) => !(axes ? axes.includes(axis) : size === 1)),
  );
}

function unsqueeze(operation: Operation): Constant {
  const from = input(operation, 0);
  const given = operation.numbers(1, "axes") ?? operation.attributes.integers("axes") ?? [];
  const rank = from.shape.length + given.length;
  const axes = given.map((axis) => axisOf(operation, axis, rank));
  const left = [...from.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : left.shift()));
  return relabelled(operation, from, shape as number[]);
}

/** The same elements in the same order. */
function relabelled(operation: Operation, from: Constant, shape: Shape): Constant {
  if (countElements(shape, from.kind, operation.label) === from.data.length) return { ...from, shape };
  throw invalid(operation, `gives a constant of ${from.shape.join("x")} the shape ${shape.join("x")}`);
}
