/** What operators that slide a window over an image have in common: kernels, strides, padding; and images of height 1. */

import { reshapeLayer, zeroPad2dLayer } from "../../../layers/index.ts";
import { invalid, type Operation, unsupported, withBatch } from "../operation.ts";
import type { Activation } from "../values.ts";

/** One number an axis, height first. */
export type Pair = readonly [number, number];

/** How a window slides over the spatial axes of a tensor. Lists hold one number for each of these axes. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Zeros, or where negative what is cut off: before and after. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const MAX_PADS = 2 ** 31 - 1;

/** Number of spatial axes of `[channels, ...]`: 1 or 2. */
export function spatialAxes(operation: Operation, { shape }: Activation): 1 | 2 {
  const axes = shape.length - 1;
  if (axes === 1 || axes === 2) return axes;
  throw unsupported(
    operation,
    `slides over a tensor of shape ${withBatch(shape)}: images (N x channels x height x width) and sequences run`,
  );
}

/** An attribute of one positive integer an axis. */
export function perAxis(operation: Operation, name: string, axes: number, fallback: readonly number[]): number[] {
  const values = operation.attributes.integers(name) ?? fallback;
  if (values.length !== axes || !values.every((value) => Number.isSafeInteger(value) && value >= 1)) {
    throw invalid(operation, `has ${name} [${values.join(", ")}], expected ${axes} integers from 1`);
  }
  return [...values];
}

/**
 * Reads strides, dilations and padding, the latter as it follows from `auto_pad`.
 *
 * @param transposed as ConvTranspose, where padding is what is cut off: the caller works out what "same" means there.
 */
export function readWindow(
  operation: Operation,
  kernel: readonly number[],
  lengths: readonly number[],
): Window & { readonly autoPad: AutoPad } {
  const { attributes } = operation;
  const axes = kernel.length;
  const ones = kernel.map(() => 1);
  const strides = perAxis(operation, "strides", axes, ones);
  const dilations = perAxis(operation, "dilations", axes, ones);
  const pads = attributes.integers("pads") ?? [...kernel, ...kernel].fill(0);
  const autoPad = readAutoPad(operation);
  if (pads.length !== 2 * axes || !pads.every((pad) => Number.isSafeInteger(pad) && pad >= 0 && pad <= MAX_PADS)) {
    throw invalid(operation, `has pads [${pads.join(", ")}], expected ${2 * axes} integers from 0 to ${MAX_PADS}`);
  }
  const window = { kernel, strides, dilations, autoPad };
  if (autoPad === "NOTSET") return { ...window, before: pads.slice(0, axes), after: pads.slice(axes) };
  if (autoPad === "VALID") return { ...window, before: kernel.map(() => 0), after: kernel.map(() => 0) };
  // The output has ceil(length / stride) elements.
  const totals = kernel.map((taps, axis) => {
    const span = dilations[axis] * (taps - 1) + 1;
    const steps = Math.ceil(lengths[axis] / strides[axis]) - 1;
    return Math.max(0, steps * strides[axis] + span - lengths[axis]);
  });
  return { ...window, ...splitPadding(totals, autoPad) };
}

export type AutoPad = "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";

function readAutoPad(operation: Operation): AutoPad {
  const mode = operation.attributes.text("auto_pad", "NOTSET");
  if (mode === "NOTSET" || mode === "VALID" || mode === "SAME_UPPER" || mode === "SAME_LOWER") return mode;
  throw invalid(operation, `has auto_pad "${mode}", expected NOTSET, VALID, SAME_UPPER or SAME_LOWER`);
}

/** The odd one goes to the end for SAME_UPPER, to the beginning for SAME_LOWER. */
export function splitPadding(totals: readonly number[], mode: AutoPad): Pick<Window, "before" | "after"> {
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total, axis) => total - less[axis]);
  return mode === "SAME_LOWER" ? { before: more, after: less } : { before: less, after: more };
}

/** True where both sides of every axis get the same. */
export function isSymmetric({ before, after }: Pick<Window, "before" | "after">): boolean {
  return before.every((pad, axis) => pad === after[axis]);
}

/** Pads or crops an image `[channels, height, width]`. */
export function padImage(
  operation: Operation,
  image: Activation,
  { before, after }: Pick<Window, "before" | "after">,
): Activation {
  const [[top, left], [bottom, right]] = [before as Pair, after as Pair];
  if (top === 0 && left === 0 && bottom === 0 && right === 0) return image;
  return operation.emit(() => zeroPad2dLayer([left, right, top, bottom]), image);
}

/** Gives an activation another shape, where it has another. */
export function reshaped(operation: Operation, x: Activation, shape: readonly number[]): Activation {
  const same = x.shape.length === shape.length && x.shape.every((size, axis) => size === shape[axis]);
  return same ? x : operation.emit(() => reshapeLayer(shape), x);
}

/** Runs something on `[channels, length]` as on an image of height 1. */
export function onImage(operation: Operation, x: Activation, run: (image: Activation) => Activation): Activation {
  if (x.shape.length === 3) return run(x);
  const [channels, length] = x.shape;
  const { shape, source } = run(reshaped(operation, x, [channels, 1, length]));
  return reshaped(operation, { kind: "activation", source, shape }, [shape[0], shape[2]]);
}

/** A window over `[channels, length]` as one over an image of height 1. */
export function imageWindow(window: Window): Window {
  if (window.kernel.length === 2) return window;
  return {
    kernel: [1, ...window.kernel],
    strides: [1, ...window.strides],
    dilations: [1, ...window.dilations],
    before: [0, ...window.before],
    after: [0, ...window.after],
  };
}
