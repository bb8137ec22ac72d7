/** Checks of the options of layers: what comes out may be trusted. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Shape, sizeOf, type Tensor } from "../plan/index.ts";

/** Values of any numeric array with their shape, row-major: a `Tensor`, or weights still in single precision. */
export interface TensorLike {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

/** One integer for both spatial axes, or one each: height first, then width. */
export type Pair = number | readonly [height: number, width: number];

/** Keeps sums and products of a few options exact in a double. */
const MAX_INTEGER = 2 ** 31 - 1;

/** An integer between `minimum` and 2^31 - 1. `name` is the option with its layer: `Conv2d: stride`. */
export function integerOption(name: string, value: unknown, minimum: number): number {
  if (typeof value !== "number") throw new TypeError(`${name} must be an integer, got ${describe(value)}`);
  if (!Number.isInteger(value) || value < minimum || value > MAX_INTEGER) {
    throw new RangeError(`${name} must be an integer from ${minimum} to ${MAX_INTEGER}, got ${value}`);
  }
  return value;
}

/** Two integers, both at least `minimum`, from one or two. */
export function pairOption(name: string, value: unknown, minimum: number): readonly [number, number] {
  if (!Array.isArray(value)) {
    const both = integerOption(name, value, minimum);
    return Object.freeze([both, both] as const);
  }
  if (value.length !== 2) {
    throw new RangeError(`${name} must be one integer or two, [height, width], got ${describe(value)}`);
  }
  const [height, width] = value.map((entry) => integerOption(name, entry, minimum));
  return Object.freeze([height!, width!] as const);
}

export function booleanOption(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false, got ${describe(value)}`);
  return value;
}

export function finiteOption(name: string, value: unknown): number {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number, got ${describe(value)}`);
  if (!Number.isFinite(value)) throw new RangeError(`${name} must be a finite number, got ${value}`);
  return value;
}

/** One of a few words. */
export function choiceOption<const T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const words = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  if (typeof value !== "string") throw new TypeError(`${name} must be ${words}, got ${describe(value)}`);
  throw new RangeError(`${name} must be ${words}, got ${describe(value)}`);
}

/**
 * A copy of the tensor in double precision: later changes of the caller's array don't reach the layer.
 *
 * @param axes what each axis stands for, for the message.
 */
export function tensorOption(name: string, value: TensorLike, axes: readonly string[]): Tensor {
  if (typeof value?.data?.length !== "number" || !Array.isArray(value.shape)) {
    throw new TypeError(`${name} must be a tensor { shape, data }, got ${describe(value)}`);
  }
  const { shape, data } = value;
  if (shape.length !== axes.length) {
    throw new CrcnnError("SHAPE_MISMATCH", `${name} must have the axes ${axes.join(" x ")}, got ${formatShape(shape)}`);
  }
  for (const [axis, size] of shape.entries()) integerOption(`${name}'s ${axes[axis]}`, size, 1);
  if (sizeOf(shape) !== data.length) {
    throw new RangeError(`${name} of shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}`);
  }
  const copy = new Float64Array(data);
  const bad = copy.findIndex((entry) => !Number.isFinite(entry));
  if (bad >= 0) throw new RangeError(`${name} must hold finite numbers, got ${data[bad]} at index ${bad}`);
  return { shape: [...shape], data: copy };
}

/** The bias of `channels` output channels; zeros where there is none. */
export function biasOption(name: string, value: TensorLike | null | undefined, channels: number): Float64Array {
  if (value === null || value === undefined) return new Float64Array(channels);
  const { shape, data } = tensorOption(name, value, ["output"]);
  if (shape[0] !== channels) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `${name} must hold ${channels} values, one an output of the weight, got ${shape[0]}`,
    );
  }
  return data;
}

function describe(value: unknown): string {
  if (typeof value === "string" || Array.isArray(value)) return JSON.stringify(value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
