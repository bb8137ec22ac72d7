/**
 * A spatial map as a 1x1 convolution over copies of the input: the client, who packs the slots anyway, puts each pixel where
 * each kernel position needs it (im2col), and the server saves the rotations between them.
 */

import { type AffineMap, imageShape, imageStride, type Shape } from "../../plan/index.ts";

export interface UnrolledMap {
  /** `[kernel positions, output height, output width]`. */
  readonly shape: Shape;
  /** Input element behind each element of that shape; -1 for the zeros of a padding. */
  readonly source: Int32Array;
  /** The same map on the unrolled tensor. */
  readonly map: AffineMap;
}

/** Undefined where the map's output is no image, or the unrolled tensor has more than `limit` elements. */
export function unrollWindows(map: AffineMap, limit: number): UnrolledMap | undefined {
  const input = imageShape(map.inputShape);
  const output = imageShape(map.outputShape);
  const pixels = output.height * output.width;
  const stride = imageStride(map);
  if (pixels === 1 || stride === undefined) return undefined;

  // A kernel position is a channel and a shift of the pixel; shifts may be negative (padding).
  const pitch = 2 * input.width;
  const plane = 2 * input.height * pitch;
  const positionOf = (row: number, column: number): number => {
    const pixel = row % pixels;
    const y = Math.floor((column % (input.height * input.width)) / input.width);
    const dy = y - Math.floor(pixel / output.width) * stride.y + input.height;
    const dx = (column % input.width) - (pixel % output.width) * stride.x + input.width;
    return Math.floor(column / (input.height * input.width)) * plane + dy * pitch + dx;
  };
  const found = new Set<number>();
  for (let row = 0; row < map.bias.length; row++) {
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) found.add(positionOf(row, map.column[k]));
    if (found.size * pixels > limit) return undefined;
  }
  if (found.size === 0) return undefined;
  const positions = [...found].sort((left, right) => left - right);
  const rank = new Map(positions.map((position, i) => [position, i]));
  const source = new Int32Array(positions.length * pixels).fill(-1);
  const column = new Int32Array(map.column.length);
  for (let row = 0; row < map.bias.length; row++) {
    // Kernel positions rise with columns, so the columns of a row stay in order.
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) {
      column[k] = rank.get(positionOf(row, map.column[k]))! * pixels + (row % pixels);
      source[column[k]] = map.column[k];
    }
  }
  const shape = [positions.length, output.height, output.width];
  return { shape, source, map: { ...map, inputShape: shape, column } };
}
