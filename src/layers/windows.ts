/** What layers that average over rectangles of an image have in common. */

import { type AffineMap, affineMap, type Shape, sizeOf } from "../plan/index.ts";

/** The part of a window along one axis that lies inside the image: half-open, not empty. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

/** Windows as pairs of spans: those of each row of outputs, and of each column. */
export interface Windows<S extends Span> {
  readonly rows: readonly S[];
  readonly columns: readonly S[];
  /** What a window's sum is divided by. */
  divisor(vertical: S, horizontal: S): number;
}

/** How windows are laid out along one axis. */
export interface WindowAxis {
  /** From the first to the last element of a window, both included. */
  readonly extent: number;
  readonly stride: number;
  /** On each side. */
  readonly padding: number;
  readonly ceilMode: boolean;
}

/** Windows along an axis of this length, by PyTorch's rule; below 1 where not even one has room. */
export function pooledLength(length: number, { extent, stride, padding, ceilMode }: WindowAxis): number {
  const steps = (length + 2 * padding - extent) / stride;
  if (!ceilMode) return Math.floor(steps) + 1;
  const rounded = Math.ceil(steps) + 1;
  // PyTorch drops a last window that would start in the padding on the far side.
  return (rounded - 1) * stride >= length + padding ? rounded - 1 : rounded;
}

/** The means over all windows of an image `[channels, height, width]`. */
export function averageWindows<S extends Span>(
  x: Float64Array,
  inputShape: Shape,
  shape: Shape,
  { rows, columns, divisor }: Windows<S>,
): Float64Array {
  const [channels, height, width] = inputShape as readonly [number, number, number];
  const y = new Float64Array(sizeOf(shape));
  let to = 0;
  for (let channel = 0; channel < channels; channel++) {
    const plane = channel * height * width;
    for (const vertical of rows) {
      for (const horizontal of columns) {
        let sum = 0;
        for (let iy = vertical.first; iy < vertical.end; iy++) {
          for (let ix = horizontal.first; ix < horizontal.end; ix++) sum += x[plane + iy * width + ix]!;
        }
        y[to++] = sum / divisor(vertical, horizontal);
      }
    }
  }
  return y;
}

/** The same as an affine map. */
export function windowsMap<S extends Span>(
  inputShape: Shape,
  shape: Shape,
  { rows, columns, divisor }: Windows<S>,
): AffineMap {
  const [, height, width] = inputShape as readonly [number, number, number];
  return affineMap(inputShape, shape, (row, add) => {
    const horizontal = columns[row % columns.length]!;
    const vertical = rows[Math.floor(row / columns.length) % rows.length]!;
    const channel = Math.floor(row / (rows.length * columns.length));
    const weight = 1 / divisor(vertical, horizontal);
    for (let iy = vertical.first; iy < vertical.end; iy++) {
      for (let ix = horizontal.first; ix < horizontal.end; ix++) add((channel * height + iy) * width + ix, weight);
    }
  });
}
