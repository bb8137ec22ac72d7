/**
 * The families of output layouts that a search considers: spatial outputs that inherit their input's places, windows of
 * folded slots for outputs of one pixel, and dense layouts that always work.
 */

import type { AffineMap } from "../affine-map.ts";
import type { Layout } from "../layout.ts";
import { channelGroups, type RowGroups, rowGroups } from "./differences.ts";
import { type InputPart, imageShape, type Stride } from "./geometry.ts";

/** Where the rows of a map could go, and which slots are folded onto them. */
export interface OutputCandidate {
  readonly rows: RowGroups;
  /** Virtual offset of each group; a row sits at its anchor plus its group's offset. */
  readonly offsets: Int32Array;
  /** The fold sums the offsets that are multiples of 2^foldFrom below 2^foldTo; equal where nothing is folded. */
  readonly foldFrom: number;
  readonly foldTo: number;
}

/** How many fold windows are tried for a spatial layout: larger ones only cost more. */
const SPATIAL_FOLDS = 3;

/** An input of a map whose places outputs can inherit. */
export interface SpatialPart extends InputPart {
  readonly stride: Stride;
}

/** Candidates from the families, by preference; may be empty for odd geometries. */
export function* familyCandidates(
  map: AffineMap,
  input: Layout,
  parts: readonly SpatialPart[],
  ciphertexts: number,
): Generator<OutputCandidate> {
  const output = imageShape(map.outputShape);
  const single = output.height * output.width === 1;
  for (const part of parts) {
    const rows = channelGroups(map, input, part, part.stride);
    const offsets = single ? inheritedOffsets(map, input, part) : spatialOffsets(map, input, part, rows);
    yield* spatialCandidates(rows, offsets, input.slots, ciphertexts, single);
  }
  if (single) yield* windowCandidates(rowGroups(map, input), input.slots, ciphertexts);
}

/** Row-major layouts of several pitches, over as many ciphertexts as they need: one of them fits any map. */
export function* denseCandidates(map: AffineMap, input: Layout): Generator<OutputCandidate> {
  const { channels, height, width } = imageShape(map.outputShape);
  const rows = rowGroups(map, input);
  for (const pitch of new Set([width, powerAbove(width)])) {
    for (const plane of new Set([height * pitch, powerAbove(height * pitch)])) {
      // A row-major tensor may straddle ciphertexts: each of its elements has a place of its own.
      const offsets = Int32Array.from({ length: channels * height * width }, (_, row) => {
        const pixel = row % (height * width);
        return Math.floor(row / (height * width)) * plane + Math.floor(pixel / width) * pitch + (pixel % width);
      });
      yield { rows, offsets, foldFrom: 0, foldTo: 0 };
    }
  }
}

function* spatialCandidates(
  rows: RowGroups,
  channelOffsets: Iterable<Int32Array>,
  slots: number,
  ciphertexts: number,
  single: boolean,
): Generator<OutputCandidate> {
  const anchors = Array.from(new Set(rows.anchor));
  const highest = anchors.reduce((most, anchor) => Math.max(most, anchor % slots), 0);
  const lastAnchor = anchors.reduce((most, anchor) => Math.max(most, Math.floor(anchor / slots)), 0);
  const clashes = anchorDistances(anchors, slots * (lastAnchor + 1));
  const bits = Math.log2(slots);
  const tried = new Set<string>();
  for (const offsets of channelOffsets) {
    const key = offsets.join();
    if (tried.has(key)) continue;
    tried.add(key);
    let top = 0;
    let last = 0;
    for (const offset of offsets) {
      top = Math.max(top, offset < 0 ? slots : highest + (offset % slots));
      last = Math.max(last, lastAnchor + Math.floor(offset / slots));
    }
    if (top >= slots || last >= ciphertexts || collide(offsets, clashes)) continue;
    yield { rows, offsets, foldFrom: 0, foldTo: 0 };
    const footprint = Math.ceil(Math.log2(top + 1));
    // Outputs of one pixel have windows of their own.
    for (let from = footprint; !single && from < Math.min(bits, footprint + SPATIAL_FOLDS); from++) {
      yield { rows, offsets, foldFrom: from, foldTo: bits };
    }
  }
}

/** Offsets that keep each channel where the input has the channel of that number. */
function* inheritedOffsets(map: AffineMap, input: Layout, part: InputPart): Generator<Int32Array> {
  const from = imageShape(part.shape);
  const { channels } = imageShape(map.outputShape);
  if (channels <= from.channels) yield Int32Array.from({ length: channels }, (_, c) => channelOffset(input, part, c));
}

function channelOffset(input: Layout, { shape, first }: InputPart, channel: number): number {
  const { height, width } = imageShape(shape);
  return input.position[first + channel * height * width] - input.position[first];
}

function* spatialOffsets(map: AffineMap, input: Layout, part: InputPart, rows: RowGroups): Generator<Int32Array> {
  const { slots } = input;
  const inputChannels = imageShape(part.shape).channels;
  const { channels } = imageShape(map.outputShape);
  const slotOf = Array.from(rows.anchor, (anchor) => anchor % slots);
  const highest = slotOf.reduce((most, slot) => Math.max(most, slot));
  const extent = highest - slotOf.reduce((least, slot) => Math.min(least, slot)) + 1;
  const anchorCiphertexts = rows.anchor.reduce((most, anchor) => Math.max(most, Math.floor(anchor / slots)), 0) + 1;
  const pitches = new Set<number>([extent]);
  for (let pitch = 1; pitch < slots; pitch *= 2) pitches.add(pitch);
  if (inputChannels > 1) pitches.add(Math.abs(channelOffset(input, part, 1)));
  pitches.delete(0);
  const offsetsOf = (of: (channel: number) => number): Int32Array =>
    Int32Array.from({ length: channels }, (_, c) => of(c));

  yield* inheritedOffsets(map, input, part);
  for (const pitch of pitches) {
    // Channels that do not fit go to further ciphertexts, a whole number of channels in each.
    const fitting = Math.max(1, Math.floor((slots - 1 - highest) / pitch) + 1);
    yield offsetsOf((c) => (c % fitting) * pitch + Math.floor(c / fitting) * slots * anchorCiphertexts);
    if (channels > inputChannels) {
      yield offsetsOf((c) => channelOffset(input, part, c % inputChannels) + Math.floor(c / inputChannels) * pitch);
    }
    for (const inner of [2, 4, 8]) {
      if (inner >= channels) break;
      for (const outer of pitches) {
        if (outer !== pitch * inner) yield offsetsOf((c) => (c % inner) * pitch + Math.floor(c / inner) * outer);
      }
    }
  }
}

/** Distances between anchors, as flags: two channels collide exactly when their offsets differ by one of them. */
function anchorDistances(anchors: readonly number[], span: number): Uint8Array {
  const distances = new Uint8Array(span);
  for (const left of anchors) {
    for (const right of anchors) if (left >= right) distances[left - right] = 1;
  }
  return distances;
}

function collide(offsets: Int32Array, distances: Uint8Array): boolean {
  for (let i = 1; i < offsets.length; i++) {
    for (let j = 0; j < i; j++) if (distances[Math.abs(offsets[i] - offsets[j])] === 1) return true;
  }
  return false;
}

/** Row o at (o mod 2^a) + 2^b (o div 2^a) with the slots between 2^a and 2^b folded, and rows 2^j apart without a fold. */
function* windowCandidates(rows: RowGroups, slots: number, ciphertexts: number): Generator<OutputCandidate> {
  const bits = Math.log2(slots);
  const fits = (offsets: Int32Array): boolean => offsets[offsets.length - 1] < slots * ciphertexts;
  for (let from = 0; from < bits; from++) {
    for (let to = from + 1; to <= bits; to++) {
      const offsets = Int32Array.from(
        { length: rows.groups },
        (_, row) => (row % 2 ** from) + 2 ** to * Math.floor(row / 2 ** from),
      );
      if (fits(offsets)) yield { rows, offsets, foldFrom: from, foldTo: to };
    }
  }
  for (let pitch = 1; pitch < slots; pitch *= 2) {
    const offsets = Int32Array.from({ length: rows.groups }, (_, row) => row * pitch);
    if (fits(offsets)) yield { rows, offsets, foldFrom: 0, foldTo: 0 };
  }
}

/** The smallest power of two that is not below the value. */
export function powerAbove(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
