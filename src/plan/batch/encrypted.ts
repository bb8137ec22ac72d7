/**
 * The batch plan on ciphertexts. The interpreter decides what is evaluated when and what is given back; a scheme's operations evaluate the
 * tiles, so that another scheme plugs in without a change here.
 *
 * Evaluation is driven by demand: a tile is evaluated when something needs its outputs, and an element is freed at its last use, so that of
 * a wide layer only a few rows exist at a time.
 */

import { throwIfAborted } from "../../errors/index.ts";
import type { RunOptions } from "../encrypted.ts";
import type { BatchPlan } from "./plan.ts";
import { type BatchTile, spansOf, tilesOf } from "./tiles.ts";

/** A scheme's ciphertexts of type C. */
export interface BatchOperations<C> {
  /** Makes a tile ready: what it returns evaluates it. Inputs are borrowed. `first` is the plan's number of the tile's first stage. */
  prepareTile(tile: BatchTile, first: number): (inputs: readonly C[]) => C[];
  /** Gives a ciphertext's memory back. */
  freeCiphertext(ciphertext: C): void;
  /** Gives back what prepared tiles hold. */
  free(): void;
}

interface PreparedTile<C> {
  readonly tile: BatchTile;
  readonly layer: number;
  readonly evaluate: (inputs: readonly C[]) => C[];
}

/** A batch plan made ready to run many times. */
export interface BatchProgram<C> {
  readonly plan: BatchPlan;
  readonly operations: BatchOperations<C>;
  /** By span: its tiles, and for each output the tile that yields it. */
  readonly spans: readonly { readonly tiles: readonly PreparedTile<C>[]; readonly tileOf: Int32Array }[];
  readonly inputs: number;
}

export interface BatchRunOptions<C> extends RunOptions {
  /** Called with each input after its last use, so that its memory can go before the run ends. Inputs are kept by default. */
  readonly onInputDone?: ((input: C) => void) | undefined;
}

export function prepareBatchProgram<C>(plan: BatchPlan, operations: BatchOperations<C>): BatchProgram<C> {
  const spans = spansOf(plan).map((span) => {
    const tileOf = new Int32Array(span.outputs);
    const tiles = tilesOf(span).map((tile, index) => {
      for (const output of tile.outputs) tileOf[output] = index;
      return { tile, layer: span.stages[0].layers[0], evaluate: operations.prepareTile(tile, span.first) };
    });
    return { tiles, tileOf };
  });
  return { plan, operations, spans, inputs: plan.inputShape.reduce((product, axis) => product * axis, 1) };
}

/** Gives the memory of the encoded weights back. */
export function freeBatchProgram<C>({ operations }: BatchProgram<C>): void {
  operations.free();
}

/**
 * Runs a program on one ciphertext an input element. Inputs are borrowed, unless `onInputDone` takes them.
 *
 * @returns One ciphertext an output element.
 * @throws RangeError for another number of inputs; CrcnnError MISSING_KEY, LEVEL_MISMATCH, SCALE_MISMATCH, ABORTED. Intermediates are freed then,
 * too.
 */
export function runBatch<C>(
  program: BatchProgram<C>,
  inputs: readonly C[],
  { onProgress, onInputDone, signal }: BatchRunOptions<C> = {},
): C[] {
  if (inputs.length !== program.inputs) {
    throw new RangeError(`the plan takes ${program.inputs} ciphertexts, one an input element, got ${inputs.length}`);
  }
  const { operations, spans } = program;
  const total = spans.reduce((sum, { tiles }) => sum + tiles.length, 0);
  let done = 0;
  /** Before each span, and behind the last: the elements that exist. */
  const tensors: (C | undefined)[][] = [[...inputs], ...spans.map(({ tileOf }) => new Array(tileOf.length))];
  const uses = spans.map(({ tiles }, s) => countUses(tiles, tensors[s].length));
  for (const [element, input] of inputs.entries()) if (uses[0][element] === 0) onInputDone?.(input);

  function release(s: number, element: number): void {
    uses[s][element]--;
    if (uses[s][element] > 0) return;
    const ciphertext = tensors[s][element] as C;
    tensors[s][element] = undefined;
    if (s > 0) operations.freeCiphertext(ciphertext);
    else onInputDone?.(ciphertext);
  }

  function evaluate(s: number, index: number): void {
    const { tile, layer, evaluate: run } = spans[s].tiles[index];
    for (const element of tile.inputs) {
      if (tensors[s][element] === undefined) evaluate(s - 1, spans[s - 1].tileOf[element]);
    }
    throwIfAborted(signal);
    const results = run(tile.inputs.map((element) => tensors[s][element] as C));
    for (const [i, output] of tile.outputs.entries()) {
      if (uses[s + 1]?.[output] === 0) operations.freeCiphertext(results[i]);
      else tensors[s + 1][output] = results[i];
    }
    for (const element of tile.inputs) release(s, element);
    done++;
    onProgress?.({ done, total, layer });
  }

  try {
    const last = spans.length - 1;
    for (const index of spans[last].tiles.keys()) evaluate(last, index);
  } catch (error) {
    for (const tensor of tensors.slice(1)) {
      for (const ciphertext of tensor) if (ciphertext !== undefined) operations.freeCiphertext(ciphertext);
    }
    throw error;
  }
  return tensors[spans.length] as C[];
}

function countUses<C>(tiles: readonly PreparedTile<C>[], elements: number): Int32Array {
  const uses = new Int32Array(elements);
  for (const { tile } of tiles) for (const element of tile.inputs) uses[element]++;
  return uses;
}
