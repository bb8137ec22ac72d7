/** The image geometry of an affine map, read off its entries: fused maps have no kernel size or stride to ask for. */

import type { AffineMap } from "../affine-map.ts";
import { type Shape, sizeOf } from "../tensor.ts";

/** A shape as channels and an image; what is no image has one pixel. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export function imageShape(shape: Shape): ImageShape {
  if (shape.length === 3) return { channels: shape[0], height: shape[1], width: shape[2] };
  return { channels: sizeOf(shape), height: 1, width: 1 };
}

/** One of the tensors that a map reads: its columns begin at `first`. */
export interface InputPart {
  readonly shape: Shape;
  readonly first: number;
}

/** The parts of a map that reads tensors of these shapes, one after the other. */
export function inputParts(shapes: readonly Shape[]): InputPart[] {
  let first = 0;
  return shapes.map((shape) => {
    const part = { shape, first };
    first += sizeOf(shape);
    return part;
  });
}

/** Input pixels from one output pixel to the next, by axis. */
export interface Stride {
  readonly y: number;
  readonly x: number;
}

/**
 * The stride at which output pixel (y, x) follows input pixel (y * stride.y, x * stride.x); undefined when some output pixel
 * would follow none (the output is larger than the input).
 *
 * @param part the input that is meant, where the map reads several.
 */
export function imageStride(map: AffineMap, part: InputPart = { shape: map.inputShape, first: 0 }): Stride | undefined {
  const input = imageShape(part.shape);
  const output = imageShape(map.outputShape);
  if (output.height > input.height || output.width > input.width) return undefined;
  const rows = edges(map, part, output.height, output.width, (column) =>
    Math.floor((column % (input.height * input.width)) / input.width),
  );
  const columns = edges(map, part, output.width, 1, (column) => column % input.width);
  return {
    y: commonStep(rows, Math.floor((input.height - 1) / Math.max(1, output.height - 1))),
    x: commonStep(columns, Math.floor((input.width - 1) / Math.max(1, output.width - 1))),
  };
}

/** First and last input coordinate that each output coordinate reads, along one axis. */
function edges(
  map: AffineMap,
  part: InputPart,
  size: number,
  pitch: number,
  coordinate: (column: number) => number,
): { first: Float64Array; last: Float64Array } {
  const first = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const last = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const end = part.first + sizeOf(part.shape);
  for (let row = 0; row < map.bias.length; row++) {
    const at = Math.floor(row / pitch) % size;
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) {
      const column = map.column[k];
      if (column < part.first || column >= end) continue;
      const value = coordinate(column - part.first);
      if (value < first[at]) first[at] = value;
      if (value > last[at]) last[at] = value;
    }
  }
  return { first, last };
}

/** The most frequent step of the edges, the larger on ties because padding clips steps; between 1 and `most`. */
function commonStep({ first, last }: { first: Float64Array; last: Float64Array }, most: number): number {
  const votes = new Map<number, number>();
  for (const edge of [first, last]) {
    for (let i = 1; i < edge.length; i++) {
      const step = edge[i] - edge[i - 1];
      if (step > 0 && Number.isFinite(step)) votes.set(step, (votes.get(step) ?? 0) + 1);
    }
  }
  let best = 1;
  for (const [step, count] of votes) {
    const leading = votes.get(best) ?? 0;
    if (count > leading || (count === leading && step > best)) best = step;
  }
  return Math.max(1, Math.min(best, most));
}
