/** The weighted sums of tiles as programs in the heap. Tiles with the same weights, as the positions of a convolution, share one. */

import {
  encodeWeightedSums,
  MAX_WEIGHTED_COLUMNS,
  MAX_WEIGHTED_ROWS,
  type Ring,
  type WeightedRow,
  type WeightedSums,
} from "../../math/index.ts";
import type { TileStep } from "./tiles.ts";

/** Rows of a tile. */
export interface LinearRows {
  readonly columns: number;
  readonly rows: readonly WeightedRow[];
  /** What to add to each row: by limb, then by row, residues. */
  readonly biases: readonly Int32Array[];
}

/** One program and the part of the rows and columns that it is for. */
export interface LinearPart {
  readonly sums: WeightedSums;
  readonly firstRow: number;
  readonly firstColumn: number;
}

export interface LinearSums {
  readonly rows: number;
  readonly parts: readonly LinearPart[];
  /** By limb, then by row: residues. */
  readonly biases: readonly Int32Array[];
}

export interface LinearSumsCache {
  prepare(rows: LinearRows): LinearSums;
  /** Gives the programs' memory back. */
  free(): void;
}

/** A tile's rows of a map, or of a pool, whose weights are all 1. */
export function weightedRows({ stage, elements, columns }: TileStep): WeightedRow[] {
  return columns.map((own, i) => {
    if (stage.op !== "affine") return { columns: own, weights: own.map(() => 1) };
    const start = stage.rowStart[elements[i]];
    return { columns: own, weights: stage.weight.subarray(start, start + own.length) };
  });
}

export function createLinearSums({ heap }: Ring): LinearSumsCache {
  const known = new Map<string, readonly LinearPart[]>();

  function encode({ columns, rows }: LinearRows): LinearPart[] {
    const parts: LinearPart[] = [];
    for (let firstRow = 0; firstRow < rows.length; firstRow += MAX_WEIGHTED_ROWS) {
      const own = rows.slice(firstRow, firstRow + MAX_WEIGHTED_ROWS);
      let firstColumn = 0;
      // Also without any column there is a part: that of the biases.
      do {
        const width = Math.min(MAX_WEIGHTED_COLUMNS, columns - firstColumn);
        const stretch = own.map((row) => cut(row, firstColumn, width));
        parts.push({ sums: encodeWeightedSums(heap, width, stretch, firstColumn > 0), firstRow, firstColumn });
        firstColumn += width;
      } while (firstColumn < columns);
    }
    return parts;
  }

  return {
    prepare(linear) {
      const key = [linear.columns, ...linear.rows.map(({ columns, weights }) => `${columns}:${weights}`)].join(";");
      let parts = known.get(key);
      if (!parts) {
        parts = encode(linear);
        known.set(key, parts);
      }
      return { rows: linear.rows.length, parts, biases: linear.biases };
    },
    free() {
      for (const parts of known.values()) for (const { sums } of parts) sums.block.free();
      known.clear();
    },
  };
}

/** The entries in the columns `first` … `first + width - 1`, counted from there. */
function cut({ columns, weights }: WeightedRow, first: number, width: number): WeightedRow {
  const kept = Array.from(columns, (_, k) => k).filter((k) => columns[k] >= first && columns[k] < first + width);
  return { columns: kept.map((k) => columns[k] - first), weights: kept.map((k) => weights[k]) };
}
