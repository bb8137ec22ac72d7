/**
 * Pools whose weights are all equal, as sums of rotations without a multiplication: no level, but the values come out too
 * large by a factor that later weights take back.
 */

import type { AffineMap } from "../affine-map.ts";
import { type Layout, modulo, periodOf, spreadValues, tryLayout } from "../layout.ts";
import type { LoweredPool } from "../lowered.ts";
import { type FoldRounds, factorOffsets, foldPrice, foldRounds, keyPrice } from "./folds.ts";
import type { LevelPrices } from "./prices.ts";

/** A decided pool: see `LoweredPool` for its fields. */
export interface PoolChoice {
  readonly input: Layout;
  readonly output: Layout;
  readonly sums: readonly (readonly number[])[];
  readonly folds: FoldRounds;
  readonly factor: number;
  /** By row. */
  readonly bias: Float64Array;
  readonly steps: ReadonlySet<number>;
  /** Microseconds, with the keys that are not owned yet. */
  readonly price: number;
}

/**
 * The map as a pool on this layout; undefined unless all entries are equal and each row's slots are the same set of offsets from its
 * first. A bias is added without a product, too, so adding constants takes no level.
 */
export function choosePool(
  map: AffineMap,
  input: Layout,
  prices: LevelPrices,
  owned: ReadonlySet<number>,
): PoolChoice | undefined {
  const { slots } = input;
  const pattern = uniformPattern(map, input);
  if (pattern === undefined) return undefined;
  const firsts = Int32Array.from(
    { length: map.bias.length },
    (_, row) => input.position[map.column[map.rowStart[row]]],
  );
  const kept = [...new Set(firsts.map((virtual) => Math.floor(virtual / slots)))].sort((left, right) => left - right);
  const position = firsts.map((virtual) => kept.indexOf(Math.floor(virtual / slots)) * slots + (virtual % slots));
  const offsets = [...new Set(pattern.map(({ offset }) => offset))].sort((left, right) => left - right);
  const added = [...new Set(pattern.map(({ ciphertext }) => ciphertext))];
  if (offsets.length * added.length !== pattern.length) return undefined;
  const period = periodOf(offsets, slots);
  // The sum is invariant under the period of the offsets, so it stands at all its multiples.
  const replicas = new Set<number>();
  for (const replica of input.replicas) {
    for (let shift = 0; shift < slots; shift += period) replicas.add((replica + shift) % slots);
  }
  const output = tryLayout(map.outputShape, slots, position, [...replicas]);
  if (output === undefined) return undefined;
  const folds = foldRounds(factorOffsets(offsets), slots, prices);
  const steps = new Set(folds.flat());
  return {
    input,
    output,
    sums: kept.map((ciphertext) => added.map((difference) => ciphertext + difference)),
    folds,
    factor: 1 / map.weight[0],
    bias: map.bias,
    steps,
    price: foldPrice(folds, prices) * kept.length + keyPrice(steps, owned, prices),
  };
}

/** @param place as of the stage; its input's slots hold `factor` times the true values. */
export function materializePool(
  { input, output, sums, folds, factor, bias }: PoolChoice,
  place: Pick<LoweredPool, "layers" | "sources"> & { readonly factor: number },
): LoweredPool {
  const { layers, sources } = place;
  const spread = spreadValues(
    bias.map((value) => value * factor * place.factor),
    output,
  );
  return { kind: "pool", layers, sources, input, output, sums, folds, bias: spread, factor };
}

interface PatternEntry {
  readonly ciphertext: number;
  readonly offset: number;
}

/** The entries of every row relative to its first, if they are the same for all rows. */
function uniformPattern(map: AffineMap, { slots, position }: Layout): PatternEntry[] | undefined {
  const count = map.rowStart[1];
  const { weight, rowStart, column, bias } = map;
  if (count === 0 || count * bias.length !== weight.length) return undefined;
  if (weight.some((value) => value !== weight[0])) return undefined;
  const entry = (row: number, k: number): PatternEntry => {
    const first = position[column[rowStart[row]]];
    const virtual = position[column[k]];
    return {
      ciphertext: Math.floor(virtual / slots) - Math.floor(first / slots),
      offset: modulo((virtual % slots) - (first % slots), slots),
    };
  };
  const code = ({ ciphertext, offset }: PatternEntry): number => ciphertext * slots + offset;
  const pattern = Array.from({ length: count }, (_, k) => entry(0, k));
  const codes = new Set(pattern.map(code));
  for (let row = 0; row < bias.length; row++) {
    if (rowStart[row + 1] - rowStart[row] !== count) return undefined;
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) if (!codes.has(code(entry(row, k)))) return undefined;
  }
  return pattern;
}
