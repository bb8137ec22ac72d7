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
const MAX_TILE_OUTPUTS = 12;

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

/** Groups a span's outputs into tiles. */
export function tilesOf(span: BatchSpan): BatchTile[] {
  const bySupport = new Map<string, number[]>();
  for (let output = 0; output < span.outputs; output++) {
    const key = traceBack(span, [output])[0].join(",");
    const alike = bySupport.get(key);
    if (alike) alike.push(output);
    else bySupport.set(key, [output]);
  }
  return [...bySupport.values()].flatMap((outputs) => {
    const widest = Math.max(
      ...traceBack(span, outputs)
        .slice(1)
        .map(({ length }) => length),
    );
    const parts = Math.max(Math.ceil(widest / MAX_TILE_ELEMENTS), Math.ceil(outputs.length / MAX_TILE_OUTPUTS));
    const size = Math.ceil(outputs.length / parts);
    return Array.from({ length: Math.ceil(outputs.length / size) }, (_, i) =>
      tileOf(span, outputs.slice(i * size, (i + 1) * size)),
    );
  });
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
