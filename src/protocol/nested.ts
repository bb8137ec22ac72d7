/** Tensors as JSON has them: arrays of arrays, whose depth and lengths are the shape. */

import { CrcnnError } from "../errors/index.ts";
import type { Shape } from "../plan/index.ts";

/** Strings in arrays of arrays, all of one depth and of equal lengths at each depth. */
export type NestedStrings = string | readonly NestedStrings[];

export interface FlatStrings {
  readonly shape: Shape;
  /** In row-major order. */
  readonly items: readonly string[];
}

/** What a reader accepts. */
export interface NestedLimits {
  readonly axes: number;
  readonly elements: number;
}

/** The items of a tensor in row-major order, as arrays of arrays. */
export function nest({ shape, items }: FlatStrings): NestedStrings {
  let parts: NestedStrings[] = [...items];
  for (const size of shape.slice(1).reverse()) {
    parts = Array.from({ length: parts.length / size }, (_, i) => parts.slice(i * size, (i + 1) * size));
  }
  return parts;
}

/**
 * Reads arrays of arrays of strings.
 *
 * @param name For messages, as `data`.
 * @throws CrcnnError INVALID_MESSAGE naming the place where they are ragged, empty or hold something else; LIMIT_EXCEEDED for too many.
 */
export function flatten(nested: unknown, name: string, { axes, elements }: NestedLimits): FlatStrings {
  const shape: number[] = [];
  for (let part = nested; Array.isArray(part); part = part[0]) {
    shape.push(part.length);
    if (shape.length > axes) throw invalid(`${name} has more than the ${axes} axes that a tensor may have here`);
  }
  if (shape.length === 0) throw invalid(`${name} must be an array of base64 strings, or of arrays of them`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > elements) {
    throw new CrcnnError(
      "LIMIT_EXCEEDED",
      `${name} has ${count} ciphertexts, at most ${elements} are taken; send fewer at a time, or scale the image down`,
    );
  }
  const items: string[] = [];
  const visit = (part: unknown, axis: number, path: string): void => {
    if (axis === shape.length) {
      if (typeof part !== "string") throw invalid(`${path} must be a base64 string`);
      items.push(part);
      return;
    }
    if (!Array.isArray(part)) throw invalid(`${path} must be an array, as its neighbours are`);
    if (part.length === 0) throw invalid(`${path} is empty`);
    if (part.length !== shape[axis]) {
      throw invalid(`${path} has ${part.length} entries, its neighbours have ${shape[axis]}; a tensor is not ragged`);
    }
    for (const [i, inner] of part.entries()) visit(inner, axis + 1, `${path}[${i}]`);
  };
  visit(nested, 0, name);
  return { shape, items };
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_MESSAGE", message);
}
