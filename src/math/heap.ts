/**
 * One growing block of 32-bit words in which all polynomials live, addressed by word offsets, so that kernels of every kind
 * (and later threads) can share them without copying.
 *
 * Growth replaces the buffer: read `heap.words` again after anything that may allocate, never keep a view across it.
 */

import { CrcnnError } from "../errors/index.ts";

/** Allocations are rounded up to this many words: the smallest limb (N = 2^10). */
const GRANULE = 1024;
/**
 * Spread blocks begin this many words apart modulo the granule, in turn. Limbs have powers of two as lengths, so without it all of them would
 * begin in one set of the first-level cache, and a sum of products would take almost twice as long: 4.5 instead of 2.9 us for each of eight
 * products at N = 8192.
 */
const COLOR_WORDS = 16;
const COLORS = 32;
const WORD_BYTES = 4;
const MIB = 2 ** 20;

/** A piece of the heap. Freed by `free()`, by the end of its plan, or at the latest when it is garbage collected. */
export interface HeapBlock {
  /** First word. */
  readonly offset: number;
  /** Length in words, as asked for. */
  readonly length: number;
  /** Gives the words back. A second call does nothing. */
  free(): void;
}

export interface Heap {
  /** All words, as signed 32-bit integers. Replaced when the heap grows. */
  readonly words: Int32Array;
  /**
   * Reserves words; their content is undefined.
   *
   * @param spread Whether blocks should begin in different sets of the first-level cache, as suits those that are read side by side.
   * @throws CrcnnError MEMORY_LIMIT naming what was needed.
   */
  allocate(length: number, spread?: boolean): HeapBlock;
  /** Reserves words for as long as the heap lives, for tables that kernels keep. Returns their offset. */
  allocatePermanent(length: number): number;
  /** Bytes of blocks in use, in whole granules (permanent ones apart), and bytes reserved from the system. */
  usage(): { readonly used: number; readonly permanent: number; readonly reserved: number };
}

/** Where a heap's words come from: plain memory, or a WebAssembly memory that kernels run on. */
export interface HeapStorage {
  readonly words: Int32Array;
  /** Replaces `words` by as many as that, with the old ones at the front. */
  grow(length: number): void;
}

/** Plain memory. */
export function createArrayStorage(initialBytes: number): HeapStorage {
  let words = new Int32Array(Math.ceil(initialBytes / WORD_BYTES));
  return {
    get words() {
      return words;
    },
    grow(length) {
      const larger = new Int32Array(length);
      larger.set(words);
      words = larger;
    },
  };
}

interface Extent {
  offset: number;
  length: number;
}

export interface HeapOptions {
  /** The ceiling, at most 4 GiB (the default), since offsets are 32-bit byte addresses in kernels. */
  readonly maximumBytes?: number | undefined;
  readonly initialBytes?: number | undefined;
  /** Plain memory by default. */
  readonly createStorage?: (initialBytes: number) => HeapStorage;
}

/** Makes a heap. @throws RangeError for a ceiling above 4 GiB. */
export function createHeap(options: HeapOptions = {}): Heap {
  const { maximumBytes = 4096 * MIB, initialBytes = 16 * MIB, createStorage = createArrayStorage } = options;
  if (!(maximumBytes > 0 && maximumBytes <= 4096 * MIB)) {
    throw new RangeError(`maximumBytes must be in (0, 4 GiB], got ${maximumBytes}`);
  }
  const storage = createStorage(Math.min(initialBytes, maximumBytes));
  let used = 0;
  /** Free extents by rising offset; neighbours are always merged. */
  const free: Extent[] = storage.words.length > 0 ? [{ offset: 0, length: storage.words.length }] : [];

  function release({ offset, length }: Extent): void {
    let low = 0;
    for (let high = free.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (free[middle].offset < offset) low = middle + 1;
      else high = middle;
    }
    free.splice(low, 0, { offset, length });
    for (const index of [low, low - 1]) {
      const [left, right] = [free[index], free[index + 1]];
      if (left && right && left.offset + left.length === right.offset) {
        left.length += right.length;
        free.splice(index + 1, 1);
      }
    }
  }

  /** @param words What the block was counted as. */
  function giveBack({ extent, words }: { readonly extent: Extent; readonly words: number }): void {
    used -= words;
    release(extent);
  }

  const abandoned = new FinalizationRegistry<Parameters<typeof giveBack>[0]>(giveBack);

  function grow(length: number): void {
    const previous = storage.words.length;
    const last = free.at(-1);
    const tail = last && last.offset + last.length === previous ? last.length : 0;
    const needed = (previous - tail + length) * WORD_BYTES;
    if (needed > maximumBytes) {
      throw new CrcnnError(
        "MEMORY_LIMIT",
        `the polynomial heap needs ${Math.ceil(needed / MIB)} MiB, its limit is ${Math.floor(maximumBytes / MIB)} MiB: ` +
          "raise maximumBytes (at most 4 GiB) or keep fewer keys and ciphertexts alive",
      );
    }
    storage.grow(Math.min(Math.max(needed, 2 * previous * WORD_BYTES), maximumBytes) / WORD_BYTES);
    release({ offset: previous, length: storage.words.length - previous });
  }

  function take(length: number): Extent {
    for (const [index, extent] of free.entries()) {
      if (extent.length < length) continue;
      const { offset } = extent;
      extent.offset += length;
      extent.length -= length;
      if (extent.length === 0) free.splice(index, 1);
      return { offset, length };
    }
    grow(length);
    return take(length);
  }

  let color = 0;
  const wholeGranules = (length: number): number => Math.max(1, Math.ceil(length / GRANULE)) * GRANULE;
  let permanent = 0;
  return {
    get words(): Int32Array {
      return storage.words;
    },
    allocate(length: number, spread = false): HeapBlock {
      color = (color + 1) % COLORS;
      const extent = take(wholeGranules(length + (spread ? COLORS * COLOR_WORDS : 0)));
      const words = wholeGranules(length);
      used += words;
      let live = true;
      const block: HeapBlock = {
        offset: extent.offset + (spread ? color * COLOR_WORDS : 0),
        length,
        free(): void {
          if (!live) return;
          live = false;
          abandoned.unregister(block);
          giveBack({ extent, words });
        },
      };
      abandoned.register(block, { extent, words }, block);
      return block;
    },
    allocatePermanent(length) {
      const extent = take(wholeGranules(length));
      permanent += extent.length;
      return extent.offset;
    },
    usage() {
      return {
        used: used * WORD_BYTES,
        permanent: permanent * WORD_BYTES,
        reserved: storage.words.length * WORD_BYTES,
      };
    },
  };
}
