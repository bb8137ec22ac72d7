/**
 * What a tile does slot by slot: weighted sums, squares and pools, of every limb by itself. The slots are worked through in stretches, so that
 * intermediate elements never leave the second-level cache, and a wide layer is never held as a whole.
 */

import { limbOffset, type Polynomial, type Ring, weightedScratchWords } from "../../math/index.ts";
import type { Ciphertext, RlweContext } from "../../rlwe/index.ts";
import type { LinearSums } from "./linear-sums.ts";

export interface SlotwiseTile {
  readonly level: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Sums of the inputs, or none: then the inputs themselves go on. */
  readonly linear: LinearSums | undefined;
  /** For each output, the elements whose squares are added up; without it the sums are the outputs. */
  readonly squares: readonly (readonly number[])[] | undefined;
}

/** What a tile's inputs and intermediate elements may take in the cache together, in words: a megabyte. */
const STRETCH_BUDGET = 2 ** 18;
const SHORTEST_STRETCH = 128;

/** Slots that are worked through at a time: a power of two. */
function stretchFor({ inputs, linear }: SlotwiseTile, components: number, degree: number): number {
  const elements = components * (inputs + (linear?.rows ?? 0));
  const fitting = 2 ** Math.floor(Math.log2(STRETCH_BUDGET / Math.max(elements, 1)));
  return Math.min(degree, Math.max(SHORTEST_STRETCH, fitting));
}

/**
 * Evaluates a tile into the results' components, which hold nothing yet.
 *
 * @param components Of an input. An element that is squared has two.
 */
export function evaluateSlots(
  { ring, engine }: RlweContext,
  tile: SlotwiseTile,
  inputs: readonly Ciphertext[],
  components: number,
  results: readonly (readonly Polynomial<"ntt">[])[],
): void {
  const { linear, squares, level } = tile;
  const { degree, heap } = ring;
  const stretch = stretchFor(tile, components, degree);
  const stretches = degree / stretch;
  const tasks = (level + 1) * stretches;
  const kept = linear && squares ? linear.rows * components * stretch : 0;
  const scratchWords = Math.max(0, ...(linear?.parts ?? []).map(({ sums }) => weightedScratchWords(sums)));
  const words = kept + scratchWords;
  // On one thread all tasks share their room, which then stays in the cache.
  const rooms = engine.threads === 1 ? 1 : tasks;
  const room = heap.allocate(rooms * words);
  ring.parallel(tasks, (task) => {
    const k = Math.floor(task / stretches);
    const start = (task % stretches) * stretch;
    const own = room.offset + (rooms === 1 ? 0 : task * words);
    const at = (polynomial: Polynomial): number => limbOffset(polynomial, k) + start;
    const elements = Array.from({ length: components }, (_, c) => {
      const ins = inputs.map((input) => at(input.components[c]));
      if (!linear) return ins;
      const outs = squares
        ? Array.from({ length: linear.rows }, (_, row) => own + (c * linear.rows + row) * stretch)
        : results.map((result) => at(result[c]));
      sumInto(ring, linear, outs, ins, c, own + kept, stretch, k);
      return outs;
    });
    for (const [i, terms] of squares?.entries() ?? []) {
      squareInto(ring, results[i].map(at), elements, terms, stretch, k);
    }
  });
  room.free();
}

/** Biases are constants of component 0: the constant polynomial has the same value in every slot of its transform. */
function sumInto(
  { kernels, moduli }: Ring,
  { parts, rows, biases }: LinearSums,
  outs: readonly number[],
  ins: readonly number[],
  component: number,
  scratch: number,
  count: number,
  k: number,
): void {
  for (const { sums, firstRow, firstColumn } of parts) {
    const own = component === 0 && firstColumn === 0 ? biases[k] : new Int32Array(rows);
    kernels.weightedSums(
      sums,
      outs.slice(firstRow, firstRow + sums.rows),
      ins.slice(firstColumn, firstColumn + sums.columns),
      own.subarray(firstRow, firstRow + sums.rows),
      scratch,
      count,
      moduli[k],
    );
  }
}

/** (sum of a^2, 2 * sum of a b, sum of b^2) for the components a and b of some elements. */
function squareInto(
  { kernels, moduli }: Ring,
  [out0, out1, out2]: readonly number[],
  [firsts, seconds]: readonly (readonly number[])[],
  terms: readonly number[],
  count: number,
  k: number,
): void {
  const a = terms.map((element) => firsts[element]);
  const b = terms.map((element) => seconds[element]);
  const modulus = moduli[k];
  kernels.dotProduct(out0, a, a, count, modulus);
  kernels.dotProduct(out1, a, b, count, modulus);
  kernels.add(out1, out1, out1, count, modulus);
  kernels.dotProduct(out2, b, b, count, modulus);
}
