/** Operators that give the image's tensor another shape, or put its elements in another order. */

import { concatLayer, flattenLayer, permuteLayer } from "../../../layers/index.ts";
import { sizeOf } from "../../../plan/index.ts";
import { axisOf, imageAxes, invalid, mixesImages, type Operation, withBatch } from "../operation.ts";
import type { Activation, Size } from "../values.ts";
import { reshaped } from "./spatial.ts";

export function reshape(operation: Operation): Activation {
  const x = operation.activation(0);
  const target = operation.integers(1, "shape")?.data;
  if (target === undefined) throw invalid(operation, "has no shape");
  const zeros = operation.attributes.flag("allowzero", false);
  const whole: readonly Size[] = ["batch", ...x.shape];
  const [first, ...sizes] = target.map((size, axis) => (size === 0 && !zeros ? (whole[axis] ?? 0) : size));
  const text = `[${target.map((size) => (size === "batch" ? "N" : size)).join(", ")}]`;
  const known = sizes.reduce<number>(
    (product, size) => (size === "batch" ? 0 : size === -1 ? product : product * size),
    1,
  );
  const free = sizes.filter((size) => size === -1).length;
  const total = sizeOf(x.shape);
  const rest = free === 0 ? 1 : total / known;
  const forBatch = first === "batch" || first === -1 || (first !== undefined && first === operation.batch);
  const one = free + Number(first === -1) <= 1;
  if (!forBatch || !one || known < 1 || !Number.isInteger(rest) || known * rest !== total) {
    throw mixesImages(operation, `it gives ${withBatch(x.shape)} the shape ${text}`);
  }
  return shaped(operation, x, sizes.map((size) => (size === -1 ? rest : size)) as number[]);
}

export function flatten(operation: Operation): Activation {
  const x = operation.activation(0);
  const axis = operation.attributes.integer("axis", 1);
  // Counted from the end as well since version 11; the axis after the last is allowed.
  const from = axis < 0 ? axis + x.shape.length + 1 : axis;
  if (from < 0 || from > x.shape.length + 1) {
    throw invalid(operation, `flattens from axis ${axis} of a tensor of shape ${withBatch(x.shape)}`);
  }
  const before = x.shape.slice(0, Math.max(0, from - 1));
  if (from === 0 || sizeOf(before) !== 1)
    throw mixesImages(operation, `it flattens ${withBatch(x.shape)} from axis ${axis}`);
  return shaped(operation, x, [sizeOf(x.shape)]);
}

export function transpose(operation: Operation): Activation {
  const x = operation.activation(0);
  const rank = x.shape.length + 1;
  const given = operation.attributes.integers("perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  if (given.length !== rank) throw invalid(operation, `has perm [${given.join(", ")}] for ${rank} axes`);
  const perm = given.map((axis) => axisOf(operation, axis, rank));
  if (perm[0] !== 0) throw mixesImages(operation, `its perm [${perm.join(", ")}] moves axis 0`);
  if (perm.every((from, axis) => from === axis)) return x;
  return operation.emit(() => permuteLayer(perm), x);
}

export function squeeze(operation: Operation): Activation {
  const x = operation.activation(0);
  const given = operation.numbers(1, "axes") ?? operation.attributes.integers("axes");
  if (given === undefined) {
    throw mixesImages(operation, "without axes it drops that of a batch of one image: export it with axes");
  }
  const axes = imageAxes(operation, given, x);
  const large = axes.find((axis) => x.shape[axis] !== 1);
  if (large !== undefined) {
    throw invalid(
      operation,
      `drops axis ${large + 1} of a tensor of shape ${withBatch(x.shape)}, which is not of size 1`,
    );
  }
  return shaped(
    operation,
    x,
    x.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

export function unsqueeze(operation: Operation): Activation {
  const x = operation.activation(0);
  const given = operation.numbers(1, "axes") ?? operation.attributes.integers("axes") ?? [];
  const rank = x.shape.length + 1 + given.length;
  const axes = given.map((axis) => axisOf(operation, axis, rank));
  if (axes.includes(0)) throw mixesImages(operation, "it puts an axis before theirs");
  const left = x.shape.values();
  const shape = Array.from({ length: rank - 1 }, (_, axis) => (axes.includes(axis + 1) ? 1 : left.next().value));
  if (new Set(axes).size !== axes.length) throw invalid(operation, `names an axis twice: [${given.join(", ")}]`);
  return shaped(operation, x, shape as number[]);
}

export function concat(operation: Operation): Activation {
  const parts = operation.inputs.map((_, input) => operation.activation(input));
  const axis = operation.attributes.integer("axis");
  const [first, ...others] = parts;
  if (first === undefined) throw invalid(operation, "has no inputs");
  const [dim] = imageAxes(operation, [axis], first);
  if (others.length === 0) return first;
  return operation.emit(() => concatLayer({ dim: dim + 1 }), ...parts);
}

/** PyTorch's PixelShuffle (CRD), and the same with the blocks first (DCR). */
export function depthToSpace(operation: Operation): Activation {
  const { x, block, channels, height, width } = blocksOf(operation);
  const mode = operation.attributes.text("mode", "DCR");
  const depth = channels / block ** 2;
  if (!Number.isInteger(depth) || (mode !== "DCR" && mode !== "CRD")) {
    throw invalid(operation, `makes blocks of ${block} of ${channels} channels by mode "${mode}"`);
  }
  const blocksFirst = mode === "DCR";
  const split = blocksFirst ? [block, block, depth, height, width] : [depth, block, block, height, width];
  const order = blocksFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  const turned = operation.emit(() => permuteLayer(order), reshaped(operation, x, split));
  return reshaped(operation, turned, [depth, height * block, width * block]);
}

export function spaceToDepth(operation: Operation): Activation {
  const { x, block, channels, height, width } = blocksOf(operation);
  const [rows, columns] = [height / block, width / block];
  if (!Number.isInteger(rows) || !Number.isInteger(columns)) {
    throw invalid(operation, `cuts ${withBatch(x.shape)} into blocks of ${block}`);
  }
  const split = reshaped(operation, x, [channels, rows, block, columns, block]);
  const turned = operation.emit(() => permuteLayer([0, 3, 5, 1, 2, 4]), split);
  return reshaped(operation, turned, [channels * block ** 2, rows, columns]);
}

function blocksOf(operation: Operation): {
  readonly x: Activation;
  readonly block: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
} {
  const x = operation.activation(0);
  const block = operation.attributes.integer("blocksize");
  if (x.shape.length !== 3 || block < 1) {
    throw invalid(operation, `rearranges ${withBatch(x.shape)} in blocks of ${block}`);
  }
  const [channels, height, width] = x.shape;
  return { x, block, channels, height, width };
}

/** Another shape of one image's values, by PyTorch's Flatten where that is what it is. */
function shaped(operation: Operation, x: Activation, shape: readonly number[]): Activation {
  if (shape.length === 1 && x.shape.length > 1) return operation.emit(() => flattenLayer(), x);
  return reshaped(operation, x, shape);
}
