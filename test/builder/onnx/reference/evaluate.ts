/** ONNX's operators as the standard describes them, on whole batches, one element after the other: slow and obvious. */

import type { ModelSpec, TensorSpec } from "../writer.ts";
import {
  type Apply,
  type Attributes,
  at,
  attributesOf,
  broadcast,
  build,
  elementwise,
  indices,
  repeated,
  size,
  type Values,
} from "./arrays.ts";
import { averagePool, conv, convTranspose } from "./windows.ts";

const transposed = (array: Values, perm: readonly number[]): Values =>
  build(
    perm.map((axis) => array.shape[axis]!),
    (index) =>
      at(
        array,
        array.shape.map((_, axis) => index[perm.indexOf(axis)]!),
      ),
  );

const gemm: Apply = ([a, b, c], attributes) => {
  const left = attributes.int("transA", 0) ? transposed(a!, [1, 0]) : a!;
  const right = attributes.int("transB", 0) ? transposed(b!, [1, 0]) : b!;
  const [alpha, beta] = [attributes.float("alpha", 1), attributes.float("beta", 1)];
  return build([left.shape[0]!, right.shape[1]!], ([row, column]) => {
    let sum = 0;
    for (let k = 0; k < left.shape[1]!; k++) sum += at(left, [row!, k]) * at(right, [k, column!]);
    return alpha * sum + (c ? beta * repeated(c, [row!, column!]) : 0);
  });
};

const matMul: Apply = ([a, b]) => {
  const vector = b!.shape.length === 1;
  const right = vector ? { shape: [...b!.shape, 1], data: b!.data } : b!;
  const stack = broadcast([a!.shape.slice(0, -2), right.shape.slice(0, -2)]);
  const [rows, inner, columns] = [a!.shape.at(-2)!, a!.shape.at(-1)!, right.shape.at(-1)!];
  const product = build([...stack, rows, columns], (index) => {
    const [head, row, column] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    const of = (array: Values, end: readonly number[]): number => {
      const own = head.slice(head.length - array.shape.length + 2);
      return at(array, [...own.map((value, axis) => (array.shape[axis] === 1 ? 0 : value)), ...end]);
    };
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += of(a!, [row, k]) * of(right, [k, column]);
    return sum;
  });
  return vector ? { shape: product.shape.slice(0, -1), data: product.data } : product;
};

function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

const reshape: Apply = ([x, shape], attributes) => {
  const target = shape!.data.map((length, axis) =>
    length === 0 && !attributes.int("allowzero", 0) ? x!.shape[axis]! : length,
  );
  const known = target.reduce((product, length) => (length === -1 ? product : product * length), 1);
  return { shape: target.map((length) => (length === -1 ? x!.data.length / known : length)), data: x!.data };
};

const axesOf = (inputs: readonly Values[], attributes: Attributes): readonly number[] | undefined =>
  inputs[1]?.data ?? attributes.ints("axes");

const slice = (x: Values, axis: number, start: number, end: number, step: number): Values => {
  const length = x.shape[axis]!;
  const [from, to] = [start, end].map((place) => Math.max(0, Math.min(length, place < 0 ? place + length : place)));
  const kept = Array.from({ length }, (_, i) => i).filter((i) => i >= from! && i < to! && (i - from!) % step === 0);
  return build(
    x.shape.map((own, i) => (i === axis ? kept.length : own)),
    (index) =>
      at(
        x,
        index.map((value, i) => (i === axis ? kept[value]! : value)),
      ),
  );
};

const APPLY: Readonly<Record<string, Apply>> = {
  Add: ([a, b]) => elementwise((x, y) => x + y)(a!, b!),
  Sub: ([a, b]) => elementwise((x, y) => x - y)(a!, b!),
  Mul: ([a, b]) => elementwise((x, y) => x * y)(a!, b!),
  Div: ([a, b]) => elementwise((x, y) => x / y)(a!, b!),
  Pow: ([a, b]) => elementwise((x, y) => x ** y)(a!, b!),
  Sum: (inputs) => inputs.reduce(elementwise((x, y) => x + y)),
  Neg: ([x]) => ({ shape: x!.shape, data: x!.data.map((value) => -value) }),
  Identity: ([x]) => x!,
  Cast: ([x]) => x!,
  Dropout: ([x]) => x!,
  Conv: conv,
  ConvTranspose: convTranspose,
  AveragePool: averagePool,
  GlobalAveragePool: ([x]) => mean(x!, x!.shape.map((_, axis) => axis).slice(2), true),
  ReduceMean: (inputs, attributes) =>
    mean(inputs[0]!, axesOf(inputs, attributes)!, attributes.int("keepdims", 1) === 1),
  BatchNormalization: ([x, scale, bias, average, variance], attributes) =>
    build(x!.shape, (index) => {
      const c = index[1]!;
      const eps = attributes.float("epsilon", 1e-5);
      return (
        ((at(x!, index) - average!.data[c]!) / Math.sqrt(variance!.data[c]! + eps)) * scale!.data[c]! + bias!.data[c]!
      );
    }),
  Gemm: gemm,
  MatMul: matMul,
  Reshape: reshape,
  Flatten: ([x], attributes) => {
    const axis = positive(attributes.int("axis", 1), x!.shape.length);
    return { shape: [size(x!.shape.slice(0, axis)), size(x!.shape.slice(axis))], data: x!.data };
  },
  Transpose: ([x], attributes) => transposed(x!, attributes.ints("perm") ?? x!.shape.map((_, axis) => axis).reverse()),
  Squeeze: (inputs, attributes) => {
    const [x] = inputs;
    const axes = axesOf(inputs, attributes)!.map((axis) => positive(axis, x!.shape.length));
    return { shape: x!.shape.filter((_, axis) => !axes.includes(axis)), data: x!.data };
  },
  Unsqueeze: (inputs, attributes) => {
    const [x] = inputs;
    const given = axesOf(inputs, attributes)!;
    const axes = given.map((axis) => positive(axis, x!.shape.length + given.length)).sort((a, b) => a - b);
    const shape = [...x!.shape];
    for (const axis of axes) shape.splice(axis, 0, 1);
    return { shape, data: x!.data };
  },
  Concat: (inputs, attributes) => {
    const axis = positive(attributes.int("axis", 0), inputs[0]!.shape.length);
    const lengths = inputs.map(({ shape }) => shape[axis]!);
    const shape = inputs[0]!.shape.map((own, i) =>
      i === axis ? lengths.reduce((sum, length) => sum + length, 0) : own,
    );
    return build(shape, (index) => {
      let [part, place] = [0, index[axis]!];
      while (place >= lengths[part]!) place -= lengths[part++]!;
      return at(
        inputs[part]!,
        index.map((value, i) => (i === axis ? place : value)),
      );
    });
  },
  Slice: ([x, starts, ends, axes, steps]) =>
    starts!.data.reduce((array, start, i) => {
      const axis = positive(axes ? axes.data[i]! : i, x!.shape.length);
      return slice(array, axis, start, ends!.data[i]!, steps ? steps.data[i]! : 1);
    }, x!),
  Split: ([x, parts], attributes, { outputs }) => {
    const axis = positive(attributes.int("axis", 0), x!.shape.length);
    const even = Math.ceil(x!.shape[axis]! / outputs.length);
    let start = 0;
    return outputs.map((_, i) => {
      const length = parts ? parts.data[i]! : Math.min(even, x!.shape[axis]! - start);
      start += length;
      return slice(x!, axis, start - length, start, 1);
    });
  },
  Gather: ([x, wanted], attributes) => {
    const axis = positive(attributes.int("axis", 0), x!.shape.length);
    const shape = [...x!.shape.slice(0, axis), ...wanted!.shape, ...x!.shape.slice(axis + 1)];
    return build(shape, (index) => {
      const inner = index.slice(axis, axis + wanted!.shape.length);
      const place = positive(at(wanted!, inner), x!.shape[axis]!);
      return at(x!, [...index.slice(0, axis), place, ...index.slice(axis + wanted!.shape.length)]);
    });
  },
  Shape: ([x]) => ({ shape: [x!.shape.length], data: x!.shape }),
  Pad: ([x, given, , axesInput], attributes) => {
    const pads = given?.data ?? attributes.ints("pads")!;
    const axes = (axesInput?.data ?? x!.shape.map((_, axis) => axis)).map((axis) => positive(axis, x!.shape.length));
    const before = x!.shape.map((_, axis) => (axes.includes(axis) ? pads[axes.indexOf(axis)]! : 0));
    const after = x!.shape.map((_, axis) => (axes.includes(axis) ? pads[axes.length + axes.indexOf(axis)]! : 0));
    return build(
      x!.shape.map((length, axis) => length + before[axis]! + after[axis]!),
      (index) =>
        at(
          x!,
          index.map((value, axis) => value - before[axis]!),
        ),
    );
  },
  DepthToSpace: ([x], attributes) => {
    const b = attributes.int("blocksize", 0);
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const depth = c / b ** 2;
    return build([n, depth, h * b, w * b], ([i, d, y, z]) => {
      const [row, column] = [y! % b, z! % b];
      const channel =
        attributes.text("mode", "DCR") === "DCR" ? (row * b + column) * depth + d! : (d! * b + row) * b + column;
      return at(x!, [i!, channel, Math.floor(y! / b), Math.floor(z! / b)]);
    });
  },
  SpaceToDepth: ([x], attributes) => {
    const b = attributes.int("blocksize", 0);
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    return build([n, c * b * b, h / b, w / b], ([i, channel, y, z]) => {
      const block = Math.floor(channel! / c);
      return at(x!, [i!, channel! % c, y! * b + Math.floor(block / b), z! * b + (block % b)]);
    });
  },
  Resize: ([x, , scales]) =>
    build(
      x!.shape.map((length, axis) => length * scales!.data[axis]!),
      (index) =>
        at(
          x!,
          index.map((value, axis) => Math.floor(value / scales!.data[axis]!)),
        ),
    ),
  Upsample: ([x, scales]) =>
    build(
      x!.shape.map((length, axis) => length * scales!.data[axis]!),
      (index) =>
        at(
          x!,
          index.map((value, axis) => Math.floor(value / scales!.data[axis]!)),
        ),
    ),
};

function mean(x: Values, given: readonly number[], keep: boolean): Values {
  const axes = given.map((axis) => positive(axis, x.shape.length));
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const inner = x.shape.map((length, axis) => (axes.includes(axis) ? length : 1));
  const means = build(kept, (index) => {
    const parts = indices(inner).map((offset) =>
      at(
        x,
        index.map((value, axis) => value + offset[axis]!),
      ),
    );
    return parts.reduce((sum, value) => sum + value, 0) / parts.length;
  });
  return keep ? means : { shape: kept.filter((_, axis) => !axes.includes(axis)), data: means.data };
}

const arrayOf = ({ dims, values }: TensorSpec): Values => ({ shape: dims, data: values });

/** The output of a model for a whole batch. */
export function evaluate({ nodes, constants = {}, output = "y" }: ModelSpec, input: Values): Values {
  const values = new Map<string, Values>([["x", input]]);
  for (const [name, spec] of Object.entries(constants)) values.set(name, arrayOf(spec));
  for (const node of nodes) {
    const value = node.attributes?.value;
    const inputs = node.inputs.map((name) => values.get(name) as Values);
    const apply = APPLY[node.op];
    if (node.op !== "Constant" && apply === undefined) throw new Error(`the reference has no ${node.op}`);
    const result = value && "t" in value ? arrayOf(value.t) : (apply as Apply)(inputs, attributesOf(node), node);
    for (const [i, one] of (Array.isArray(result) ? result : [result]).entries()) {
      values.set(node.outputs[i]!, one as Values);
    }
  }
  return values.get(output) as Values;
}
