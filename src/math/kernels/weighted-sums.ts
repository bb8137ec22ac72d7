/**
 * Several sums of limbs with small integer weights at once: out[r] = sum over k of w[r][k] in[k] + bias[r] modulo p. What an affine layer is
 * where every tensor element has a ciphertext of its own.
 *
 * A residue below 2^30 is two digits of 15 bits; less 2^14 each of them is a signed 16-bit number, and so is a weight, so that a dot
 * product of 16-bit lanes multiplies both digits of two inputs by their weights in one instruction. Sums of digits stay within 32 bits as long
 * as a row's weights add up to less than {@link MAX_WEIGHT_SUM}; longer rows are cut. Rows with the same columns are summed four at a time.
 */

import type { Heap, HeapBlock } from "../heap.ts";
import type { Modulus } from "../modular.ts";

/** Weights are below this in size: signed 16-bit numbers, symmetric. */
export const MAX_WEIGHT: number = 2 ** 15 - 1;
/** Sizes of the weights of one uninterrupted sum, added up: 2^14 times as much, and a digit, fit a signed 32-bit word. */
export const MAX_WEIGHT_SUM: number = 2 ** 17 - 4;
/** Columns, and rows, of one program. */
export const MAX_WEIGHTED_COLUMNS = 512;
export const MAX_WEIGHTED_ROWS = 128;
/** Primes are above this, since quotients are found in single precision. */
export const WEIGHTED_PRIME_FLOOR: number = 2 ** 25;
/** Slots that are summed at a time. */
const BLOCK_WORDS = 128;
/** Sums of two digits for {@link GROUP_ROWS} rows. */
const SUM_BLOCKS = 8;

const WORD_BYTES = 4;
/** Rows that share their loads. */
const GROUP_ROWS = 4;
/** Columns, rows, groups, and a word that is not used. */
const HEADER_WORDS = 4;
/** Number of pairs, number of rows, flags, and the rows. */
const GROUP_WORDS = 7;
/** Flags: the sums are added to what the rows hold; the group is the first part of its rows, with which biases go. */
const ACCUMULATE = 1;
const FIRST_PART = 2;
/** Byte offsets in the scratch of two columns, and for each row their weights in the halves of a word. */
const PAIR_WORDS = 6;
/** The base of the digits. */
export const DIGIT: number = 2 ** 15;
/** What the two digits of a residue are less than its own, together. */
export const DIGIT_OFFSET: number = (DIGIT / 2) * (DIGIT + 1);

/** One row: columns, all different, and a weight for each. */
export interface WeightedRow {
  readonly columns: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/** Rows made ready for {@link Kernels.weightedSums}: a program in the heap. */
export interface WeightedSums {
  readonly columns: number;
  readonly rows: number;
  /** Sum of the weights of each row. */
  readonly sums: readonly number[];
  readonly block: HeapBlock;
}

interface Group {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** By row of the group, then by column. */
  readonly weights: readonly (readonly number[])[];
  readonly flags: number;
}

/** Words of scratch that a call needs. */
export function weightedScratchWords({ columns }: WeightedSums): number {
  return (columns + SUM_BLOCKS) * BLOCK_WORDS;
}

/**
 * Writes a program into the heap.
 *
 * @param accumulate The sums, with their biases, are added to what the outputs hold.
 * @throws RangeError for more columns or rows than a program takes, a column that is none, or a weight that is no integer of 16 bits.
 */
export function encodeWeightedSums(
  heap: Heap,
  columns: number,
  rows: readonly WeightedRow[],
  accumulate = false,
): WeightedSums {
  if (columns > MAX_WEIGHTED_COLUMNS || rows.length > MAX_WEIGHTED_ROWS || rows.length === 0) {
    throw new RangeError(
      `weighted sums take up to ${MAX_WEIGHTED_COLUMNS} columns and 1 to ${MAX_WEIGHTED_ROWS} rows, got ${columns} and ${rows.length}`,
    );
  }
  for (const [r, row] of rows.entries()) checkRow(row, r, columns);
  const groups = groupRows(rows, accumulate ? ACCUMULATE : 0);
  const length = HEADER_WORDS + groups.reduce((sum, group) => sum + groupWords(group), 0);
  const block = heap.allocate(length);
  const { words } = heap;
  words.fill(0, block.offset, block.offset + length);
  words.set([columns, rows.length, groups.length, 0], block.offset);
  let at = block.offset + HEADER_WORDS;
  for (const group of groups) {
    writeGroup(words, at, group);
    at += groupWords(group);
  }
  const sums = rows.map(({ weights }) => Array.from(weights).reduce((sum, weight) => sum + weight, 0));
  return { columns, rows: rows.length, sums, block };
}

function checkRow({ columns, weights }: WeightedRow, row: number, count: number): void {
  for (let k = 0; k < columns.length; k++) {
    const [column, weight] = [columns[k], weights[k]];
    if (!Number.isInteger(column) || column < 0 || column >= count) {
      throw new RangeError(`row ${row} names column ${column}, there are ${count}`);
    }
    if (!Number.isInteger(weight) || Math.abs(weight) > MAX_WEIGHT) {
      throw new RangeError(`weights must be integers from -${MAX_WEIGHT} to ${MAX_WEIGHT}, row ${row} has ${weight}`);
    }
  }
}

/** Rows with the same columns, four at a time, each cut where a sum of digits could overflow. */
function groupRows(rows: readonly WeightedRow[], flags: number): Group[] {
  const byColumns = new Map<string, number[]>();
  for (const [r, { columns }] of rows.entries()) {
    const key = Array.from(columns).join(",");
    byColumns.set(key, [...(byColumns.get(key) ?? []), r]);
  }
  const groups: Group[] = [];
  for (const alike of byColumns.values()) {
    for (let first = 0; first < alike.length; first += GROUP_ROWS) {
      groups.push(...cutGroup(rows, alike.slice(first, first + GROUP_ROWS), flags));
    }
  }
  return groups;
}

function cutGroup(rows: readonly WeightedRow[], members: readonly number[], flags: number): Group[] {
  const columns = Array.from(rows[members[0]].columns);
  const groups: Group[] = [];
  let first = 0;
  do {
    const sums = members.map(() => 0);
    let end = first;
    for (; end < columns.length; end++) {
      const sizes = members.map((r, i) => sums[i] + Math.abs(rows[r].weights[end]));
      if (sizes.some((size) => size > MAX_WEIGHT_SUM)) break;
      sums.splice(0, sums.length, ...sizes);
    }
    groups.push({
      rows: members,
      columns: columns.slice(first, end),
      weights: members.map((r) => Array.from(rows[r].weights).slice(first, end)),
      flags: first > 0 ? ACCUMULATE : flags | FIRST_PART,
    });
    first = end;
  } while (first < columns.length);
  return groups;
}

/** An even number, since the kernel takes two at a time; what is left over has weights of 0. */
const pairsOf = ({ columns }: Group): number => 2 * Math.ceil(columns.length / 4);

const groupWords = (group: Group): number => GROUP_WORDS + pairsOf(group) * PAIR_WORDS;

function writeGroup(words: Int32Array, offset: number, group: Group): void {
  const { rows, columns, weights, flags } = group;
  const pairs = pairsOf(group);
  const bytes = (column: number): number => column * BLOCK_WORDS * WORD_BYTES;
  words.set([pairs, rows.length, flags, ...rows], offset);
  for (let k = 0; k < pairs; k++) {
    const at = offset + GROUP_WORDS + k * PAIR_WORDS;
    words[at] = bytes(columns[2 * k] ?? columns[0]);
    words[at + 1] = bytes(columns[2 * k + 1] ?? columns[0]);
    // A group of fewer rows has zeros for the others.
    for (const [i, own] of weights.entries()) {
      words[at + 2 + i] = ((own[2 * k] ?? 0) & 0xffff) | ((own[2 * k + 1] ?? 0) << 16);
    }
  }
}

/** Scratch of {@link weightedSums}. */
export function createWeightedScratch(): Float64Array {
  return new Float64Array(BLOCK_WORDS);
}

/**
 * The kernel in plain TypeScript. A sum of products stays below 2^47, so a double holds it exactly.
 *
 * @param sums As {@link createWeightedScratch} makes it.
 */
export function weightedSums(
  words: Int32Array,
  sums: Float64Array,
  { block }: WeightedSums,
  outs: ArrayLike<number>,
  ins: ArrayLike<number>,
  biases: ArrayLike<number>,
  count: number,
  { value: p, inverse }: Modulus,
): void {
  const groups = words[block.offset + 2];
  for (let start = 0; start < count; start += BLOCK_WORDS) {
    const length = Math.min(BLOCK_WORDS, count - start);
    let group = block.offset + HEADER_WORDS;
    for (let g = 0; g < groups; g++) {
      const first = group + GROUP_WORDS;
      const end = first + words[group] * PAIR_WORDS;
      const members = words[group + 1];
      const flags = words[group + 2];
      for (let i = 0; i < members; i++) {
        const row = words[group + 3 + i];
        sums.fill(flags & FIRST_PART ? biases[row] : 0, 0, length);
        for (let pair = first; pair < end; pair += PAIR_WORDS) {
          const left = ins[words[pair] / (BLOCK_WORDS * WORD_BYTES)] + start;
          const right = ins[words[pair + 1] / (BLOCK_WORDS * WORD_BYTES)] + start;
          const leftWeight = (words[pair + 2 + i] << 16) >> 16;
          const rightWeight = words[pair + 2 + i] >> 16;
          for (let t = 0; t < length; t++) sums[t] += words[left + t] * leftWeight + words[right + t] * rightWeight;
        }
        const out = outs[row] + start;
        for (let t = 0; t < length; t++) {
          const sum = sums[t] + (flags & ACCUMULATE ? words[out + t] : 0);
          const remainder = sum - Math.floor(sum * inverse) * p;
          const lifted = remainder < 0 ? remainder + p : remainder;
          words[out + t] = lifted >= p ? lifted - p : lifted;
        }
      }
      group = end;
    }
  }
}
