import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createHeap, type Heap, type HeapBlock } from "../../src/math/index.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GRANULE = 1024;
const rounded = (length: number): number => Math.max(1, Math.ceil(length / GRANULE)) * GRANULE;

/** Writes the block's own number in each of its words. */
function stamp(heap: Heap, { offset, length }: HeapBlock, number: number): void {
  heap.words.fill(number, offset, offset + length);
}

function isStamped(heap: Heap, { offset, length }: HeapBlock, number: number): boolean {
  return heap.words.subarray(offset, offset + length).every((word) => word === number);
}

describe("createHeap", () => {
  test("any program of allocations and frees: blocks keep apart and keep their bytes, all memory comes back", () => {
    const allocate = fc.record({ length: fc.integer({ min: 0, max: 20_000 }) });
    const free = fc.record({ victim: fc.nat(1000) });
    const program = fc.array(fc.oneof(allocate, free), { maxLength: 60 });
    const initial = fc.constantFrom(0, 4 * KIB, 64 * KIB, 300_000);
    fc.assert(
      fc.property(program, initial, (operations, initialBytes) => {
        const heap = createHeap({ initialBytes, maximumBytes: 64 * MIB });
        const live = new Map<number, HeapBlock>();
        for (const [number, operation] of operations.entries()) {
          if ("length" in operation) {
            const block = heap.allocate(operation.length);
            expect(block.length).toBe(operation.length);
            stamp(heap, block, number + 1);
            live.set(number + 1, block);
          } else if (live.size > 0) {
            const [victim, block] = [...live][operation.victim % live.size];
            block.free();
            live.delete(victim);
          }
          const extents = [...live.values()].map(({ offset, length }) => [offset, offset + rounded(length)]);
          extents.sort(([left], [right]) => left - right);
          for (const [i, [start]] of extents.entries())
            if (i > 0) expect(start).toBeGreaterThanOrEqual(extents[i - 1][1]);
          const words = [...live.values()].reduce((sum, { length }) => sum + rounded(length), 0);
          expect(heap.usage()).toEqual({ used: 4 * words, permanent: 0, reserved: heap.words.byteLength });
        }
        for (const [number, block] of live) expect(isStamped(heap, block, number)).toBe(true);
        for (const block of live.values()) block.free();
        expect(heap.usage().used).toBe(0);
        // One piece again: all of it can be had at once without growth.
        const { reserved } = heap.usage();
        heap.allocate(Math.floor(reserved / 4 / GRANULE) * GRANULE);
        if (reserved > 0) expect(heap.usage().reserved).toBe(reserved);
      }),
      { numRuns: 100 },
    );
  });

  test("spread blocks begin in different sets of a cache of 4 KiB ways, and keep apart", () => {
    const heap = createHeap();
    const blocks = Array.from({ length: 40 }, () => heap.allocate(3 * GRANULE, true));
    const lines = blocks.slice(0, 32).map(({ offset }) => (offset % GRANULE) / 16);
    expect(new Set(lines).size).toBe(32);
    for (const [i, block] of blocks.entries()) stamp(heap, block, i + 1);
    for (const [i, block] of blocks.entries()) expect(isStamped(heap, block, i + 1)).toBe(true);
    expect(heap.usage().used).toBe(40 * 3 * 4 * GRANULE);
    for (const block of blocks) block.free();
    expect(heap.usage().used).toBe(0);
  });

  test("freed neighbours merge, in any order of freeing", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [0, 2, 1],
      [1, 0, 2],
    ]) {
      const heap = createHeap({ initialBytes: 12 * KIB, maximumBytes: 12 * KIB });
      const blocks = [0, 1, 2].map(() => heap.allocate(GRANULE));
      expect(() => heap.allocate(1)).toThrow();
      for (const index of order) blocks[index].free();
      expect(heap.allocate(3 * GRANULE).offset).toBe(0);
    }
  });

  test("freed words are used again, the lowest first", () => {
    const heap = createHeap();
    const [low, , high] = [
      heap.allocate(GRANULE),
      heap.allocate(GRANULE),
      heap.allocate(GRANULE),
      heap.allocate(GRANULE),
    ];
    high.free();
    low.free();
    expect(heap.allocate(1).offset).toBe(low.offset);
    expect(heap.allocate(1).offset).toBe(high.offset);
  });

  test("a second free does nothing, also when the words have a new owner", () => {
    const heap = createHeap();
    const block = heap.allocate(5000);
    block.free();
    const successor = heap.allocate(5000);
    expect(successor.offset).toBe(block.offset);
    block.free();
    expect(heap.usage().used).toBe(4 * rounded(5000));
    expect(heap.allocate(5000).offset).not.toBe(successor.offset);
  });

  test("growth keeps all bytes and at least doubles", () => {
    const heap = createHeap({ initialBytes: 64 * KIB });
    const block = heap.allocate(16 * KIB);
    stamp(heap, block, 77);
    const old = heap.words;
    heap.allocate(1);
    expect(heap.words).not.toBe(old);
    expect(heap.usage().reserved).toBeGreaterThanOrEqual(128 * KIB);
    expect(isStamped(heap, block, 77)).toBe(true);
    expect(heap.allocate(MIB).length).toBe(MIB);
    expect(isStamped(heap, block, 77)).toBe(true);
  });

  test("the limit is an error that names need, limit and remedy, and leaves the heap usable", () => {
    const heap = createHeap({ initialBytes: MIB, maximumBytes: 4 * MIB });
    const half = heap.allocate(MIB / 2);
    expect(() => heap.allocate(MIB)).toThrow(
      expect.objectContaining({
        code: "MEMORY_LIMIT",
        message: expect.stringMatching(/needs 6 MiB, its limit is 4 MiB: raise maximumBytes .* or keep fewer/),
      }),
    );
    expect(heap.usage().used).toBe(2 * MIB);
    half.free();
    expect(heap.allocate(MIB).offset).toBe(0);
  });

  test("what is free at the end counts: an allocation fits as long as the limit does", () => {
    const heap = createHeap({ initialBytes: 3 * MIB, maximumBytes: 4 * MIB });
    heap.allocate(MIB / 4);
    heap.allocate((3 * MIB) / 4);
    expect(heap.usage()).toEqual({ used: 4 * MIB, permanent: 0, reserved: 4 * MIB });
  });

  test.each([0, -1, 4097 * MIB, Number.NaN])("refuses a limit of %d bytes", (maximumBytes) => {
    expect(() => createHeap({ maximumBytes })).toThrow(
      new RangeError(`maximumBytes must be in (0, 4 GiB], got ${maximumBytes}`),
    );
  });

  test("blocks that are forgotten come back when they are collected, freed ones do not come back twice", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const heap = createHeap();
    const kept = heap.allocate(GRANULE);
    (() => {
      for (let i = 0; i < 100; i++) heap.allocate(GRANULE);
      for (let i = 0; i < 100; i++) heap.allocate(GRANULE).free();
    })();
    expect(heap.usage().used).toBe(4 * 101 * GRANULE);
    for (let round = 0; round < 50 && heap.usage().used > 4 * GRANULE; round++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(heap.usage().used).toBe(4 * kept.length);
  });

  test("permanent words are counted apart and stay", () => {
    const heap = createHeap();
    const offset = heap.allocatePermanent(3000);
    heap.words.fill(7, offset, offset + 3000);
    const block = heap.allocate(2 ** 24);
    expect(heap.usage()).toMatchObject({ used: 4 * 2 ** 24, permanent: 4 * 3072 });
    block.free();
    expect(heap.usage().used).toBe(0);
    expect(heap.words.subarray(offset, offset + 3000).every((word) => word === 7)).toBe(true);
  });
});
