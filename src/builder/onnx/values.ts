/** What a name in the graph stands for while the graph is read: a constant, or a tensor that depends on the image. */

import { CrcnnError } from "../../errors/index.ts";
import { type Shape, sizeOf, type Tensor } from "../../plan/index.ts";
import { MAX_AXES, MAX_ELEMENTS } from "../source/limits.ts";
import { MAX_INTEGERS } from "./limits.ts";

/** A size or an index. The number of images in a batch is not known, so it stands for itself. */
export type Size = number | "batch";

/** A tensor of floats that every image shares, row-major. */
export interface FloatConstant {
  readonly kind: "floats";
  /** All axes: a constant has no batch axis of its own. */
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** A tensor of integers or truth values: a shape, axes, a flag. */
export interface IntegerConstant {
  readonly kind: "integers";
  readonly shape: Shape;
  readonly data: readonly Size[];
}

export type Constant = FloatConstant | IntegerConstant;

/** The output of a layer for one image. */
export interface Activation {
  readonly kind: "activation";
  /** Number of the layer; {@link MODEL_INPUT} for the image itself. */
  readonly source: number;
  /** Without the batch axis, which is the first one in the file. */
  readonly shape: Shape;
  /** Of a product with a matrix, under the name that its node gave it: the layer can still get a bias. */
  readonly product?: { readonly weight: Tensor; readonly name: string };
}

export type Value = Constant | Activation;

/**
 * Number of elements of a constant of this shape, checked before anything is allocated.
 *
 * @throws CrcnnError INVALID_FILE for sizes that are no naturals, LIMIT_EXCEEDED.
 */
export function countElements(shape: readonly number[], kind: Constant["kind"], what: string): number {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new CrcnnError("INVALID_FILE", `${what} has the shape ${shape.join("x")}`);
  }
  if (shape.length > MAX_AXES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${what} has ${shape.length} axes, at most ${MAX_AXES} are read`);
  }
  const most = kind === "floats" ? MAX_ELEMENTS : MAX_INTEGERS;
  const count = shape.includes(0) ? 0 : sizeOf(shape);
  if (count > most) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${what} has ${count} elements of ${kind}, at most ${most} are read`);
  }
  return count;
}
