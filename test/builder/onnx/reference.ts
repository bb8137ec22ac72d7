/** ONNX's operators as the standard describes them, on whole batches, one element after the other: slow and obvious. */

import type { ModelSpec, NodeSpec, TensorSpec } from "./writer.ts";

export interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** An array of which each element is computed from its index. */
function build(shape: readonly number[], value: (index: number[]) => number): Values {
  const data = Array.from({ length: size(shape) }, (_, at) => {
    const index: number[] = [];
    let rest = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index.unshift(rest % shape[axis]!);
      rest = Math.floor(rest / shape[axis]!);
    }
    return value(index);
  });
  return { shape, data };
}

/** An element; zero where an index leaves the array. */
function at({ shape, data }: Values, index: readonly number[]): number {
  if (index.some((value, axis) => value < 0 || value >= shape[axis]!)) return 0;
  return data[index.reduce((sum, value, axis) => sum * shape[axis]! + value, 0)]!;
}

/** All indices of a shape. */
function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, length) => all.flatMap((head) => Array.from({ length }, (_, i) => [...head, i])),
    [[]],
  );
}

function broadcast(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
}

/** numpy's rule: missing axes are put in front, axes of size 1 are repeated. */
function repeated(array: Values, index: readonly number[]): number {
  const own = index.slice(index.length - array.shape.length);
  return at(
    array,
    own.map((value, axis) => (array.shape[axis] === 1 ? 0 : value)),
  );
}

const elementwise =
  (of: (left: number, right: number) => number) =>
  (left: Values, right: Values): Values =>
    build(broadcast([left.shape, right.shape]), (index) => of(repeated(left, index), repeated(right, index)));

interface Attributes {
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string, otherwise: number): number;
  text(name: string, otherwise: string): string;
}

function attributesOf({ attributes = {} }: NodeSpec): Attributes {
  const get = (name: string): { readonly [kind: string]: unknown } => attributes[name] ?? {};
  return {
    int: (name, otherwise) => (get(name).i as number | undefined) ?? otherwise,
    ints: (name) => get(name).ints as readonly number[] | undefined,
    float: (name, otherwise) => Math.fround((get(name).f as number | undefined) ?? otherwise),
    text: (name, otherwise) => (get(name).s as string | undefined) ?? otherwise,
  };
}

type Apply = (inputs: readonly Values[], attributes: Attributes, node: NodeSpec) => Values | readonly Values[];

/** What is added before and after each spatial axis. */
function padsOf(
  attributes: Attributes,
  kernel: readonly number[],
  lengths: readonly number[],
): { before: number[]; after: number[] } {
  const rank = kernel.length;
  const mode = attributes.text("auto_pad", "NOTSET");
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const pads = attributes.ints("pads") ?? [...kernel, ...kernel].map(() => 0);
  if (mode === "NOTSET") return { before: pads.slice(0, rank), after: pads.slice(rank) };
  if (mode === "VALID") return { before: kernel.map(() => 0), after: kernel.map(() => 0) };
  const total = kernel.map((taps, i) => {
    const output = Math.ceil(lengths[i]! / strides[i]!);
    return Math.max(0, (output - 1) * strides[i]! + (taps - 1) * dilations[i]! + 1 - lengths[i]!);
  });
  const small = total.map((pad) => Math.floor(pad / 2));
  const large = total.map((pad) => Math.ceil(pad / 2));
  return mode === "SAME_UPPER" ? { before: small, after: large } : { before: large, after: small };
}

const conv: Apply = ([x, w, b], attributes) => {
  const kernel = w!.shape.slice(2);
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const { before, after } = padsOf(attributes, kernel, lengths);
  const group = attributes.int("group", 1);
  const output = kernel.map((taps, i) =>
    Math.floor((lengths[i]! + before[i]! + after[i]! - (taps - 1) * dilations[i]! - 1) / strides[i]! + 1),
  );
  const perGroup = w!.shape[0]! / group;
  return build([x!.shape[0]!, w!.shape[0]!, ...output], ([n, m, ...place]) => {
    let sum = b ? b.data[m!]! : 0;
    for (const [c, ...tap] of indices(w!.shape.slice(1))) {
      const channel = Math.floor(m! / perGroup) * w!.shape[1]! + c!;
      const from = place.map((o, i) => o * strides[i]! + tap[i]! * dilations[i]! - before[i]!);
      sum += at(w!, [m!, c!, ...tap]) * at(x!, [n!, channel, ...from]);
    }
    return sum;
  });
};

const convTranspose: Apply = ([x, w, b], attributes) => {
  const kernel = w!.shape.slice(2);
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const extra = attributes.ints("output_padding") ?? kernel.map(() => 0);
  const group = attributes.int("group", 1);
  const mode = attributes.text("auto_pad", "NOTSET");
  const pads = attributes.ints("pads") ?? [...kernel, ...kernel].map(() => 0);
  let before = pads.slice(0, kernel.length);
  let after = pads.slice(kernel.length);
  const spread = kernel.map((taps, i) => strides[i]! * (lengths[i]! - 1) + extra[i]! + (taps - 1) * dilations[i]! + 1);
  const wanted =
    attributes.ints("output_shape") ??
    (mode.startsWith("SAME") ? lengths.map((length, i) => length * strides[i]!) : undefined);
  if (wanted) {
    const total = spread.map((length, i) => length - wanted[i]!);
    const half = total.map((pad) => Math.floor(pad / 2));
    const rest = total.map((pad, i) => pad - half[i]!);
    [before, after] = mode === "SAME_UPPER" ? [half, rest] : [rest, half];
  }
  const outGroup = w!.shape[1]!;
  const inGroup = x!.shape[1]! / group;
  const shape = [x!.shape[0]!, outGroup * group, ...spread.map((length, i) => length - before[i]! - after[i]!)];
  const y = build(shape, ([, m]) => (b ? b.data[m!]! : 0));
  const data = [...y.data];
  for (const [n, c, ...place] of indices(x!.shape)) {
    for (const [m, ...tap] of indices(w!.shape.slice(1))) {
      const to = place.map((i, axis) => i * strides[axis]! + tap[axis]! * dilations[axis]! - before[axis]!);
      if (to.some((value, axis) => value < 0 || value >= shape[axis + 2]!)) continue;
      const channel = Math.floor(c! / inGroup) * outGroup + m!;
      const position = [n!, channel, ...to].reduce((sum, value, axis) => sum * shape[axis]! + value, 0);
      data[position]! += at(x!, [n!, c!, ...place]) * at(w!, [c!, m!, ...tap]);
    }
  }
  return { shape, data };
};

const averagePool: Apply = ([x], attributes) => {
  const kernel = attributes.ints("kernel_shape")!;
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const { before, after } = padsOf(attributes, kernel, lengths);
  const counted = attributes.int("count_include_pad", 0) === 1;
  const ceil = attributes.int("ceil_mode", 0) === 1;
  const output = kernel.map((taps, i) => {
    const steps = (lengths[i]! + before[i]! + after[i]! - taps) / strides[i]!;
    const count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that begins behind the input and its padding in front is left out.
    return ceil && (count - 1) * strides[i]! >= lengths[i]! + before[i]! ? count - 1 : count;
  });
  return build([...x!.shape.slice(0, 2), ...output], ([n, c, ...place]) => {
    let [sum, count] = [0, 0];
    for (const tap of indices(kernel)) {
      const from = place.map((o, i) => o * strides[i]! + tap[i]! - before[i]!);
      const inside = from.every((value, i) => value >= 0 && value < lengths[i]!);
      const padded = from.every((value, i) => value >= -before[i]! && value < lengths[i]! + after[i]!);
      if (inside || (counted && padded)) count++;
      sum += at(x!, [n!, c!, ...from]);
    }
    return sum / count;
  });
};

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
