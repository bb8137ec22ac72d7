/** Averages: AveragePool, GlobalAveragePool, ReduceMean. */

import {
  adaptiveAvgPool2dLayer,
  avgPool1dLayer,
  avgPool2dLayer,
  linearLayer,
  permuteLayer,
  scaleLayer,
} from "../../../layers/index.ts";
import { sizeOf } from "../../../plan/index.ts";
import { imageAxes, invalid, type Operation, unsupported } from "../operation.ts";
import type { Activation } from "../values.ts";
import {
  imageWindow,
  isSymmetric,
  onImage,
  type Pair,
  padImage,
  perAxis,
  readWindow,
  reshaped,
  spatialAxes,
  type Window,
} from "./spatial.ts";

export function averagePool(operation: Operation): Activation {
  const x = operation.activation(0);
  const axes = spatialAxes(operation, x);
  const kernel = perAxis(operation, "kernel_shape", axes, []);
  const window = readWindow(operation, kernel, x.shape.slice(1));
  if (window.dilations.some((dilation) => dilation !== 1)) {
    throw unsupported(operation, `averages with dilations [${window.dilations.join(", ")}]: only 1 runs`);
  }
  const unpaddedInput = [...window.before, ...window.after].every((zeros) => zeros === 0);
  // Without padding both are the same, and PyTorch counts it.
  const countIncludePad = operation.attributes.flag("count_include_pad", false) || unpaddedInput;
  // Before version 10 windows never left the input; nor do they where lengths come out even.
  const ceilMode = operation.attributes.flag("ceil_mode", false) && leavesInput(window, x.shape.slice(1));
  if (isSymmetric(window) && window.before.every((pad, axis) => pad <= kernel[axis] / 2)) {
    return pooled(operation, x, window, { ceilMode, countIncludePad });
  }
  if (ceilMode) {
    throw unsupported(operation, "rounds up with padding that PyTorch does not have: set ceil_mode to 0");
  }
  const wide = imageWindow(window);
  return onImage(operation, x, (image) => {
    const padded = padImage(operation, image, wide);
    if (countIncludePad) return pooled(operation, padded, unpadded(wide), {});
    // Sums, then a divisor for every window: how much of it lies in the image.
    const sums = pooled(operation, padded, unpadded(wide), { divisorOverride: 1 });
    operation.spendMade(sizeOf(sums.shape.slice(1)));
    const counts = [0, 1].map((axis) => insideOf(wide, axis, image.shape[axis + 1], sums.shape[axis + 1]));
    const data = Float64Array.from(counts[0].flatMap((rows) => counts[1].map((columns) => 1 / (rows * columns))));
    if (!data.every(Number.isFinite)) throw invalid(operation, "averages windows that lie in the padding alone");
    return operation.emit(() => scaleLayer({ factor: { shape: sums.shape.slice(1), data } }), sums);
  });
}

interface PoolOptions {
  readonly ceilMode?: boolean;
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number;
}

function pooled(
  operation: Operation,
  x: Activation,
  { kernel, strides, before }: Window,
  options: PoolOptions,
): Activation {
  if (kernel.length === 1) {
    const own = { kernelSize: kernel[0], stride: strides[0], padding: before[0] };
    return operation.emit(() => avgPool1dLayer({ ...own, ...options }), x);
  }
  const own = { kernelSize: kernel as Pair, stride: strides as Pair, padding: before as Pair };
  return operation.emit(() => avgPool2dLayer({ ...own, ...options }), x);
}

function unpadded(window: Window): Window {
  const none = window.kernel.map(() => 0);
  return { ...window, before: none, after: none };
}

function leavesInput({ kernel, strides, before, after }: Window, lengths: readonly number[]): boolean {
  return kernel.some((taps, axis) => (lengths[axis] + before[axis] + after[axis] - taps) % strides[axis] !== 0);
}

/** By output along an axis: how many elements of its window are no padding. */
function insideOf({ kernel, strides, before }: Window, axis: number, length: number, outputs: number): number[] {
  return Array.from({ length: outputs }, (_, output) => {
    const start = output * strides[axis] - before[axis];
    return Math.max(0, Math.min(start + kernel[axis], length) - Math.max(start, 0));
  });
}

export function globalAveragePool(operation: Operation): Activation {
  const x = operation.activation(0);
  spatialAxes(operation, x);
  return onImage(operation, x, (image) => operation.emit(() => adaptiveAvgPool2dLayer(1), image));
}

export function reduceMean(operation: Operation): Activation {
  const { attributes } = operation;
  const x = operation.activation(0);
  const keep = attributes.flag("keepdims", true);
  const none = attributes.flag("noop_with_empty_axes", false);
  const given = operation.numbers(1, "axes") ?? attributes.integers("axes") ?? [];
  if (given.length === 0 && none) return x;
  // Without axes it is a mean over all of them.
  const axes = imageAxes(operation, given.length === 0 ? [0] : given, x);
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const wanted = keep ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  const mean =
    axes.includes(0) || x.shape.length !== 3 ? meanOverAxes(operation, x, axes) : spatialMean(operation, x, axes);
  return reshaped(operation, mean, wanted);
}

function spatialMean(operation: Operation, x: Activation, axes: readonly number[]): Activation {
  const size = [1, 2].map((axis) => (axes.includes(axis) ? 1 : null)) as [number | null, number | null];
  return operation.emit(() => adaptiveAvgPool2dLayer(size), x);
}

/** The axes are brought to the end and become one, which a linear layer of equal weights averages. */
function meanOverAxes(operation: Operation, x: Activation, axes: readonly number[]): Activation {
  const others = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const order = [...others, ...axes];
  const turned = order.every((from, axis) => from === axis)
    ? x
    : operation.emit(() => permuteLayer([0, ...order.map((axis) => axis + 1)]), x);
  const count = sizeOf(axes.map((axis) => x.shape[axis]));
  const rows = reshaped(operation, turned, [...others.map((axis) => x.shape[axis]), count]);
  operation.spendMade(count);
  const weight = { shape: [1, count], data: new Float64Array(count).fill(1 / count) };
  return operation.emit(() => linearLayer({ weight }), rows);
}
