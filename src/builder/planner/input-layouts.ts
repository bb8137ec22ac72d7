/**
 * Layouts for a network's input, which the client prepares at no cost to the server: pixels by phase of the strides to come,
 * with blocks at distances that leave room for channels, and every gap filled with copies.
 */

import { imageShape, type Layout, powerAbove, type Shape, type Stride, tryLayout } from "../../plan/index.ts";

export interface InputFamily {
  readonly shape: Shape;
  readonly slots: number;
  /** Products of the strides of the network's first layers. */
  readonly phases: readonly Stride[];
  /** Channels after the first layer. */
  readonly outputChannels: number;
  /** The network begins with a map to outputs of one pixel: copies of single elements pay. */
  readonly flat: boolean;
}

/** All layouts of the family; of those that differ in nothing but copies, the one with most. */
export function inputLayouts(family: InputFamily): Layout[] {
  const { shape, slots, phases, flat } = family;
  const { channels, height, width } = imageShape(shape);
  const ciphertexts = Math.ceil((channels * height * width) / slots);
  const found = new Map<string, Layout>();
  const offer = (position: Int32Array, replicas: readonly number[]): void => {
    if (position.some((virtual) => virtual >= slots * ciphertexts)) return;
    const key = position.join();
    if ((found.get(key)?.replicas.length ?? 0) >= replicas.length) return;
    const layout = tryLayout(shape, slots, position, replicas);
    if (layout !== undefined) found.set(key, layout);
  };
  for (const phase of phases) {
    for (const grid of blockGrids(family, phase, ciphertexts)) {
      const position = placeElements(shape, phase, grid);
      offer(position, grid.replicas);
      if (!flat || phase.y * phase.x > 1) continue;
      for (let scale = 2; scale * grid.used <= slots * ciphertexts; scale *= 2) {
        const low = Array.from({ length: scale }, (_, i) => i);
        const replicas = copiesAbove(grid.inner, grid.used, slots / scale).flatMap((r) =>
          low.map((l) => r * scale + l),
        );
        offer(
          position.map((virtual) => virtual * scale),
          replicas,
        );
      }
    }
  }
  return [...found.values()];
}

/** Distances of one arrangement of blocks: element (c, y, x) is at phase * `phase` + c * `channel` + row * `row` + column. */
interface BlockGrid {
  readonly row: number;
  readonly channel: number;
  readonly phase: number;
  /** Slots from the first element to the end of the last block. */
  readonly used: number;
  /** Offsets of the copies in the gaps between blocks. */
  readonly inner: readonly number[];
  readonly replicas: readonly number[];
}

function* blockGrids(
  { shape, slots, outputChannels, flat }: InputFamily,
  phase: Stride,
  ciphertexts: number,
): Generator<BlockGrid> {
  const { channels, height, width } = imageShape(shape);
  const phases = phase.y * phase.x;
  const rows = Math.ceil(height / phase.y);
  const columns = Math.ceil(width / phase.x);
  const room = slots * ciphertexts;
  const grid = (row: number, channel: number, phasePitch: number, used: number, gap: number): BlockGrid => {
    // Copies stand a whole set of blocks apart, as many as fit before the next set of blocks begins.
    const copies = Math.max(1, Math.floor(gap / (channel * (channels === 1 ? 1 : powerAbove(channels)))));
    const step = channels === 1 ? channel : channel * powerAbove(channels);
    const inner = Array.from({ length: copies }, (_, i) => i * step);
    return { row, channel, phase: phasePitch, used, inner, replicas: copiesAbove(inner, used, slots) };
  };
  for (const row of new Set([columns, powerAbove(columns)])) {
    const block = rows * row;
    const pitches = new Set([block]);
    // Where single elements are copied, wider pitches only leave gaps.
    const widest = flat ? powerAbove(block) : room;
    for (let pitch = powerAbove(block); pitch <= widest; pitch *= 2) pitches.add(pitch);
    for (const pitch of pitches) {
      const set = channels === 1 ? pitch : pitch * powerAbove(channels);
      // Without phases there is nothing between which more copies could stand than after all blocks anyway.
      for (const factor of phases === 1 ? [1] : new Set([1, 2, 4, 8, 16, 32, outputChannels])) {
        const used = phases * set * factor;
        if (used <= room) yield grid(row, pitch, set * factor, used, set * factor);
      }
      // Tight blocks, and blocks of all phases of a channel together.
      if (phases * channels * pitch <= room) {
        yield grid(row, pitch, channels * pitch, phases * channels * pitch, 0);
        if (channels > 1 && phases > 1) yield grid(row, phases * pitch, pitch, phases * channels * pitch, 0);
      }
    }
  }
}

/** The copies of the gaps, repeated at each multiple of the power of two that holds all of them. */
function copiesAbove(inner: readonly number[], used: number, slots: number): number[] {
  const step = powerAbove(used);
  const copies: number[] = [];
  for (let outer = 0; outer < Math.max(1, slots); outer += step) copies.push(...inner.map((offset) => outer + offset));
  return copies;
}

function placeElements(shape: Shape, phase: Stride, grid: BlockGrid): Int32Array {
  const { channels, height, width } = imageShape(shape);
  return Int32Array.from({ length: channels * height * width }, (_, element) => {
    const x = element % width;
    const y = Math.floor(element / width) % height;
    const c = Math.floor(element / (width * height));
    const index = (y % phase.y) * phase.x + (x % phase.x);
    return index * grid.phase + c * grid.channel + Math.floor(y / phase.y) * grid.row + Math.floor(x / phase.x);
  });
}
