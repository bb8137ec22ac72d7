/**
 * Inputs that stand for a user's own where none are given: what they make of a network's values decides how much room its scales leave. All
 * are made from a fixed sequence, so equal models get equal plans.
 */

import { type Shape, sizeOf, type Tensor } from "../plan/index.ts";

/** Smallest and largest value that an input element takes. */
export type InputRange = readonly [low: number, high: number];

/** Numbers in [0, 1) from a fixed sequence (mulberry32). No secret depends on them. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A dark picture with a few thick bright strokes, about a sixth of it covered, as digits and drawings are. */
function strokes(shape: Shape, random: () => number): Float64Array {
  const [height, width] = shape.length >= 2 ? shape.slice(-2) : [1, sizeOf(shape)];
  const planes = sizeOf(shape) / (height * width);
  const data = new Float64Array(sizeOf(shape));
  const radius = Math.max(0.5, Math.min(height, width) / 18);
  for (let stroke = 0; stroke < 3; stroke++) {
    let [y, x] = [height * (0.25 + random() / 2), width * (0.25 + random() / 2)];
    let angle = random() * 6.28;
    for (let step = 0; step < (height + width) / 4; step++) {
      angle += random() - 0.5;
      y += Math.sin(angle);
      x += Math.cos(angle);
      for (let plane = 0; plane < planes; plane++)
        brush(data.subarray(plane * height * width), height, width, y, x, radius);
    }
  }
  return data;
}

function brush(plane: Float64Array, height: number, width: number, y: number, x: number, radius: number): void {
  for (let i = Math.max(0, Math.ceil(y - radius)); i <= Math.min(height - 1, y + radius); i++) {
    for (let j = Math.max(0, Math.ceil(x - radius)); j <= Math.min(width - 1, x + radius); j++)
      plane[i * width + j] = 1;
  }
}

/** Strokes, noise of several strengths, and an evenly bright picture. */
export function syntheticInputs(shape: Shape, [low, high]: InputRange): Tensor[] {
  const random = sequence(1);
  const size = sizeOf(shape);
  const noise = (strength: number): Float64Array => Float64Array.from({ length: size }, () => strength * random());
  const pictures = [
    ...Array.from({ length: 8 }, () => strokes(shape, random)),
    noise(1),
    noise(1),
    noise(0.5),
    new Float64Array(size).fill(0.5),
  ];
  return pictures.map((data) => ({ shape, data: data.map((value) => low + (high - low) * value) }));
}
