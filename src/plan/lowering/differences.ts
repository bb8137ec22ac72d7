/**
 * The slot differences between columns and rows of a map, by classes of rows that share them: a candidate output layout is
 * judged from these few numbers and never walks the map's entries.
 */

import type { AffineMap } from "../affine-map.ts";
import type { Layout } from "../layout.ts";
import { type InputPart, imageShape, type Stride } from "./geometry.ts";

/** Differences between input slots of one ciphertext and anchors of one ciphertext. */
export interface DifferencePart {
  readonly input: number;
  readonly anchor: number;
  /** Column slot - anchor slot, in 0 … slots - 1, each once, ascending. */
  readonly differences: Int32Array;
}

export interface DifferenceClass {
  /** Channels or rows that share these differences. */
  readonly members: readonly number[];
  readonly parts: readonly DifferencePart[];
}

/** Rows by group; a row of group g sits at its anchor plus the offset that a candidate gives to g. */
export interface RowGroups {
  readonly classes: readonly DifferenceClass[];
  readonly groups: number;
  /** Virtual slot of each row's anchor. */
  readonly anchor: Int32Array;
  readonly groupOf: Int32Array;
}

/** Every row a group of its own with its anchor at slot 0: for layouts that place rows one by one. */
export function rowGroups(map: AffineMap, input: Layout): RowGroups {
  const rows = map.bias.length;
  return collect(
    map,
    input,
    new Int32Array(rows),
    Int32Array.from({ length: rows }, (_, row) => row),
    rows,
  );
}

/**
 * The rows of a channel are a group; output pixel (y, x) has its anchor where channel 0 of input pixel (y sy, x sx) of one of the inputs is,
 * as if that began with the first ciphertext.
 */
export function channelGroups(map: AffineMap, input: Layout, part: InputPart, stride: Stride): RowGroups {
  const from = imageShape(part.shape);
  const start = input.position[part.first] - (input.position[part.first] % input.slots);
  const to = imageShape(map.outputShape);
  const pixels = to.height * to.width;
  const rows = map.bias.length;
  const anchor = Int32Array.from({ length: rows }, (_, row) => {
    const y = Math.floor((row % pixels) / to.width);
    const x = row % to.width;
    return input.position[part.first + y * stride.y * from.width + x * stride.x] - start;
  });
  const groupOf = Int32Array.from({ length: rows }, (_, row) => Math.floor(row / pixels));
  return collect(map, input, anchor, groupOf, to.channels);
}

function collect(map: AffineMap, input: Layout, anchor: Int32Array, groupOf: Int32Array, groups: number): RowGroups {
  const { slots, position } = input;
  const anchors = anchor.reduce((most, virtual) => Math.max(most, Math.floor(virtual / slots)), 0) + 1;
  const lastGroup = new Int32Array(input.ciphertexts * anchors * slots).fill(-1);
  const classes = new Map<string, { members: number[]; parts: DifferencePart[] }>();
  let found: number[] = [];
  const close = (group: number): void => {
    const sorted = Int32Array.from(found).sort();
    const key = sorted.join();
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { members: [group], parts: splitParts(sorted, anchors, slots) });
    else known.members.push(group);
    found = [];
  };
  // Rows of a group are neighbours, so a group ends where the next begins.
  for (let row = 0; row < groupOf.length; row++) {
    const group = groupOf[row];
    if (row > 0 && group !== groupOf[row - 1]) close(groupOf[row - 1]);
    const anchorSlot = anchor[row] % slots;
    const anchorCiphertext = (anchor[row] - anchorSlot) / slots;
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) {
      const virtual = position[map.column[k]];
      const slot = virtual % slots;
      const difference = slot < anchorSlot ? slot - anchorSlot + slots : slot - anchorSlot;
      const code = (((virtual - slot) / slots) * anchors + anchorCiphertext) * slots + difference;
      if (lastGroup[code] === group) continue;
      lastGroup[code] = group;
      found.push(code);
    }
  }
  close(groupOf[groupOf.length - 1]);
  return { classes: [...classes.values()], groups, anchor, groupOf };
}

function splitParts(codes: Int32Array, anchors: number, slots: number): DifferencePart[] {
  const parts: DifferencePart[] = [];
  for (let start = 0; start < codes.length; ) {
    const pair = Math.floor(codes[start] / slots);
    let end = start;
    while (end < codes.length && Math.floor(codes[end] / slots) === pair) end++;
    const differences = codes.slice(start, end).map((code) => code % slots);
    parts.push({ input: Math.floor(pair / anchors), anchor: pair % anchors, differences });
    start = end;
  }
  return parts;
}

/** Differences that have to be served between two ciphertexts. */
export interface WantedDifferences {
  /** By difference modulo the period. */
  readonly flags: Uint8Array;
  /** Number of flags set. */
  count: number;
}

/** The differences by pair of ciphertexts `[output * inputs + input]`, when each group has this offset. */
export function wantedDifferences(
  rows: RowGroups,
  offsets: Int32Array,
  input: Layout,
  outputs: number,
  period: number,
): WantedDifferences[] {
  const { slots, ciphertexts: inputs } = input;
  const wanted = Array.from(
    { length: inputs * outputs },
    (): WantedDifferences => ({ flags: new Uint8Array(period), count: 0 }),
  );
  const seen = new Int32Array(period);
  const reduced = new Int32Array(period);
  let stamp = 0;
  for (const { members, parts } of rows.classes) {
    // Modulo the period many members fall together, and so do differences.
    const distinct = new Set(
      members.map((group) => Math.floor(offsets[group] / slots) * period + ((offsets[group] % slots) % period)),
    );
    for (const part of parts) {
      stamp++;
      let count = 0;
      for (const difference of part.differences) {
        const value = difference % period;
        if (seen[value] === stamp) continue;
        seen[value] = stamp;
        reduced[count++] = value;
      }
      for (const code of distinct) {
        const shift = code % period;
        const pair = wanted[(part.anchor + (code - shift) / period) * inputs + part.input];
        for (let i = 0; i < count; i++) {
          const value = reduced[i] - shift;
          const at = value < 0 ? value + period : value;
          pair.count += 1 - pair.flags[at];
          pair.flags[at] = 1;
        }
      }
    }
  }
  return wanted;
}
