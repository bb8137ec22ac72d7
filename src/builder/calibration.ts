/**
 * Inputs that stand for a user's own where none are given: what they make of a network's values decides how much room its scales leave. All
 * are made from a fixed sequence, so equal models get equal plans.
 */

import { type Shape, sizeOf, type Tensor } from "../plan/index.ts";

/** Smallest and largest value that an input element takes. */
export type InputRange = readonly [low: number, high: number];

/** The range of images with such values: [0, 1], or the values rounded outwards to powers of two, which say of what kind they are and not more. */
export function coveringRange([least, greatest]: InputRange): InputRange {
  if (least >= 0 && greatest <= 1) return [0, 1];
  const outwards = (value: number): number => 2 ** Math.ceil(Math.log2(value));
  return [least < 0 ? -outwards(-least) : 0, greatest > 0 ? outwards(greatest) : 0];
}

/** Numbers in [0, 1) from a fixed sequence (mulberry32). No secret depends on them. */
export function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The values that a picture's ground and its strokes have in each channel. */
interface Colours {
  readonly ground: readonly number[];
  readonly ink: readonly number[];
}

/**
 * White on black for one channel, as digits and drawings are; for several channels any colour, and one as different from it as can be. White on
 * black, which hardly any coloured image is, makes a network that was trained on such images take values ten times as large as its own inputs
 * do, and relative errors seem as much smaller.
 */
function colours(planes: number, random: () => number): Colours {
  if (planes === 1) return { ground: [0], ink: [1] };
  const ground = Array.from({ length: planes }, random);
  return { ground, ink: ground.map((value) => Math.round(1 - value)) };
}

/** A picture with a few thick strokes, about a sixth of it covered. */
function strokes(shape: Shape, random: () => number): Float64Array {
  const [height, width] = shape.length >= 2 ? shape.slice(-2) : [1, sizeOf(shape)];
  const plane = height * width;
  const { ground, ink } = colours(sizeOf(shape) / plane, random);
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => ground[Math.floor(i / plane)]);
  const radius = Math.max(0.5, Math.min(height, width) / 18);
  for (let stroke = 0; stroke < 3; stroke++) {
    let [y, x] = [height * (0.25 + random() / 2), width * (0.25 + random() / 2)];
    let angle = random() * 6.28;
    for (let step = 0; step < (height + width) / 4; step++) {
      angle += random() - 0.5;
      y += Math.sin(angle);
      x += Math.cos(angle);
      for (let i = Math.max(0, Math.ceil(y - radius)); i <= Math.min(height - 1, y + radius); i++) {
        for (let j = Math.max(0, Math.ceil(x - radius)); j <= Math.min(width - 1, x + radius); j++) {
          for (const [channel, value] of ink.entries()) data[channel * plane + i * width + j] = value;
        }
      }
    }
  }
  return data;
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
