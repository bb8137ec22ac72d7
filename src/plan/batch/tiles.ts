/**
 * Cutting a plan for evaluation: spans between the tensors that are kept, and in each span tiles of outputs that need the same inputs, as all
 * channels at one position do. A tile's intermediate elements exist only while it is evaluated.
 */

import type { BatchPlan, BatchStage, SparseRows } from "./plan.ts";
import { stageSize } from "./plan.ts";

/** Stages from one kept tensor to the next. */
export interface BatchSpan {
  /** Index of the first stage. */
  readonly first: number;
  readonly stages: readonly BatchStage[];
  /** Elements of the kept tensors before and behind it. */
  readonly inputs: number;
  readonly outputs: number;
}

/** The part of a span that yields some of its outputs. All numbers within `steps` are local: they count the elements of `elements`. */
export interface BatchTile {
  /** Elements of the span's input and output, ascending. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** One a stage, in order. */
  readonly steps: readonly TileStep[];
}

export interface TileStep {
  readonly stage: BatchStage;
  /** The stage's rows that the tile evaluates; elements where it has none. */
  readonly elements: readonly number[];
  /** For stages with rows: by row, the columns among the elements before the stage, and where the row's entries start in the stage. */
  readonly columns: readonly (readonly number[])[];
}

/** Elements that a tile may hold between two stages, and outputs. */
const MAX_TILE_ELEMENTS = 96;
const MAX_TILE_OUTPUTS = 16;
/** Groups are merged when they have no more inputs together than this part of what they have by themselves. */
const LARGEST_UNION = 0.8;

/** Spans end where a map follows something else, so each has at most one map, which comes first, a square, and a pool of it. */
export function spansOf({ inputShape, stages }: BatchPlan): BatchSpan[] {
  const spans: BatchSpan[] = [];
  let inputs = inputShape.reduce((product, axis) => product * axis, 1);
  let own: BatchStage[] = [];
  let size = inputs;
  const close = (end: number): void => {
    if (own.length > 0) spans.push({ first: end - own.length, stages: own, inputs, outputs: size });
    own = [];
    inputs = size;
  };
  for (const [i, stage] of stages.entries()) {
    if (!continues(own, stage)) close(i);
    own.push(stage);
    size = stageSize(stage, size);
  }
  close(stages.length);
  return spans;
}

function continues(own: readonly BatchStage[], { op }: BatchStage): boolean {
  const previous = own.at(-1)?.op;
  if (op === "affine") return false;
  if (op === "sum") return previous === "square";
  if (op === "square") return previous === "affine" || previous === "sum" ? own.length === 1 : false;
  return true;
}

/**
 * Groups a span's outputs into tiles: outputs with the same inputs first, then neighbours whose inputs overlap, so that an input is prepared
 * for as many sums as possible.
 */
export function tilesOf(span: BatchSpan): BatchTile[] {
  const bySupport = new Map<string, Group & { readonly outputs: number[] }>();
  for (let output = 0; output < span.outputs; output++) {
    const [inputs] = traceBack(span, [output]);
    const key = inputs.join(",");
    const alike = bySupport.get(key);
    if (alike) alike.outputs.push(output);
    else bySupport.set(key, { inputs, outputs: [output] });
  }
  const tiles: BatchTile[] = [];
  let pending: Group | undefined;
  const emit = (outputs: readonly number[]): void => {
    const parts = Math.ceil(1 / share(span, outputs));
    const size = Math.ceil(outputs.length / parts);
    for (let i = 0; i < outputs.length; i += size) tiles.push(tileOf(span, outputs.slice(i, i + size)));
  };
  for (const group of bySupport.values()) {
    const merged = pending && merge(pending, group);
    if (merged && share(span, merged.outputs) >= 1) {
      pending = merged;
      continue;
    }
    if (pending) emit(pending.outputs);
    pending = group;
  }
  if (pending) emit(pending.outputs);
  return tiles;
}

interface Group {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** Both groups as one, where they share enough inputs. */
function merge(left: Group, right: Group): Group | undefined {
  const inputs = [...new Set([...left.inputs, ...right.inputs])];
  if (inputs.length > LARGEST_UNION * (left.inputs.length + right.inputs.length)) return undefined;
  return { inputs, outputs: [...left.outputs, ...right.outputs].sort((a, b) => a - b) };
}

/** How many times these outputs fit into a tile: below 1 they have to be cut. */
function share(span: BatchSpan, outputs: readonly number[]): number {
  const [, ...elements] = traceBack(span, outputs);
  const widest = Math.max(...elements.map(({ length }) => length));
  return Math.min(MAX_TILE_ELEMENTS / widest, MAX_TILE_OUTPUTS / outputs.length);
}

/** The elements needed before each stage and behind the last one, ascending, for some outputs. */
function traceBack({ stages }: BatchSpan, outputs: readonly number[]): number[][] {
  let needed = [...outputs];
  const before = [needed];
  for (const stage of [...stages].reverse()) {
    if ("rowStart" in stage) needed = columnsOf(stage, needed);
    before.unshift(needed);
  }
  return before;
}

function columnsOf({ rowStart, column }: SparseRows, rows: readonly number[]): number[] {
  const found = new Set<number>();
  for (const row of rows) for (let k = rowStart[row]; k < rowStart[row + 1]; k++) found.add(column[k]);
  return [...found].sort((left, right) => left - right);
}

function tileOf(span: BatchSpan, outputs: readonly number[]): BatchTile {
  const elements = traceBack(span, outputs);
  const steps = span.stages.map((stage, i) => {
    const own = elements[i + 1];
    if (!("rowStart" in stage)) return { stage, elements: own, columns: [] };
    const local = new Map(elements[i].map((element, at) => [element, at]));
    const { rowStart, column } = stage;
    const columns = own.map((row) =>
      Array.from(column.subarray(rowStart[row], rowStart[row + 1]), (at) => local.get(at) as number),
    );
    return { stage, elements: own, columns };
  });
  return { inputs: elements[0], outputs, steps };
}
