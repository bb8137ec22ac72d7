import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AffineMap,
  affineMap,
  applyAffine,
  choosePool,
  copySlot,
  createLayout,
  flatLayout,
  imageStride,
  type Layout,
  packingOf,
  packSlots,
  periodOf,
  pricesAt,
  sizeOf,
  unpackSlots,
} from "../../../src/plan/index.ts";
import { allStrides, chooseSplit, rotationsOf, usualStrides } from "../../../src/plan/lowering/baby-giant.ts";
import { bitSummands, factorOffsets, foldPrice, foldRounds, sumsOf } from "../../../src/plan/lowering/folds.ts";
import { coverDifferences, servingOffsets } from "../../../src/plan/lowering/hitting-set.ts";
import { leastProductPrice, mostDiagonals } from "../../../src/plan/lowering/prices.ts";
import { conv, pool, randomNumbers } from "../../builder/planner/networks.ts";
import { rotationCount, simdPrices, typescriptPrices } from "../../builder/planner/slot-prices.ts";
import { lowerAffine, lowerPool, runStage } from "./evaluate-lowered.ts";

const random = randomNumbers(3);

function mapOf(layer: ReturnType<typeof conv>, shape: readonly number[]): AffineMap {
  const algebra = layer.algebra(shape);
  if (algebra.kind !== "affine") throw new Error("not affine");
  return algebra.map;
}

function values(count: number): Float64Array {
  return Float64Array.from({ length: count }, random);
}

/** Slots filled by a layout, with noise where it puts nothing: weights must not let it in. */
function fillSlots(layout: Layout, elements: Float64Array): Float64Array[] {
  const packing = packingOf(layout);
  return packSlots(packing, elements).map((slots, i) =>
    slots.map((value, t) => (packing.source[i * layout.slots + t]! < 0 ? random() * 100 : value)),
  );
}

/** Every copy of every element, compared. */
function expectCopies(layout: Layout, slots: readonly Float64Array[], expected: Float64Array): void {
  for (let element = 0; element < expected.length; element++) {
    for (const replica of layout.replicas) {
      const virtual = copySlot(layout, element, replica);
      const got = slots[Math.floor(virtual / layout.slots)]![virtual % layout.slots]!;
      expect(Math.abs(got - expected[element]!)).toBeLessThan(1e-9);
    }
  }
}

describe("layouts", () => {
  test("the period is the smallest power of two under which the copies stay what they are", () => {
    expect(periodOf([0], 64)).toBe(64);
    expect(periodOf([0, 16, 32, 48], 64)).toBe(16);
    expect(periodOf([0, 16], 64)).toBe(64);
    expect(periodOf([0, 1, 32, 33], 64)).toBe(32);
    expect(periodOf([...Array(64).keys()], 64)).toBe(1);
  });

  test("packing and unpacking are inverse, and copies hold the same", () => {
    const layout = createLayout([3, 2], 16, Int32Array.of(0, 2, 4, 1, 3, 5), [0, 8]);
    const elements = values(6);
    const slots = packSlots(packingOf(layout), elements);
    expect(unpackSlots(layout, slots)).toEqual(elements);
    expectCopies(layout, slots, elements);
    expect(slots[0]!.filter((value) => value !== 0).length).toBe(12);
  });

  test("with several ciphertexts copies that would wrap are left out", () => {
    const layout = createLayout([6], 4, Int32Array.of(0, 1, 4, 5, 8, 9), [0, 2, 3]);
    expect(layout.ciphertexts).toBe(3);
    expect([...layout.replicas]).toEqual([0, 2]);
    expect(flatLayout([9], 4).ciphertexts).toBe(3);
  });

  test("copies that meet, and positions that do not fit the shape, are refused", () => {
    expect(() => createLayout([2], 8, Int32Array.of(0, 4), [0, 4])).toThrow(/replicas/);
    expect(() => createLayout([3], 8, Int32Array.of(0, 4))).toThrow(/position must hold 3 values/);
  });
});

describe("folds", () => {
  test("offsets are split into summands that give each of them once", () => {
    const sets = [
      [0],
      [0, 1, 14, 15],
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 28, 29, 30, 56, 57, 58],
      [0, 1, 3],
      [0, 1, 2, 3, 8, 9],
    ];
    for (const offsets of sets) expect(sumsOf(factorOffsets(offsets))).toEqual(offsets);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }), (rest) => {
        const offsets = [0, ...rest].sort((left, right) => left - right);
        expect(sumsOf(factorOffsets(offsets))).toEqual(offsets);
      }),
    );
  });

  test("progressions become rounds of prime length", () => {
    expect(factorOffsets([0, 14, 28, 42, 56, 70])).toEqual([[14], [28, 56]]);
  });

  test("the radix follows the prices", () => {
    const simd = pricesAt(simdPrices(4096), 1);
    const count = pricesAt(rotationCount, 1);
    expect(foldRounds(bitSummands(8, 12), 4096, count)).toEqual([[256], [512], [1024], [2048]]);
    expect(foldRounds(bitSummands(10, 12), 4096, simd)).toEqual([[1024, 2048, 3072]]);
    expect(foldPrice([[1024, 2048, 3072]], simd)).toBe(950 + 2 * 100);
    expect(foldRounds([], 4096, simd)).toEqual([]);
  });
});

describe("hitting sets", () => {
  test("serve every difference, with no more diagonals than differences", () => {
    const arbitrary = fc.record({
      from: fc.integer({ min: 0, max: 6 }),
      bits: fc.integer({ min: 0, max: 6 }),
      replicas: fc.uniqueArray(fc.integer({ min: 1, max: 63 }), { maxLength: 5 }),
      wanted: fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 64 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ from, bits, replicas, wanted }) => {
        const folds = sumsOf(bitSummands(from, Math.min(6, from + bits)));
        const copies = [0, ...replicas];
        const serving = servingOffsets(copies, periodOf(copies, 64), folds, periodOf(folds, 64));
        const served = new Set(copies.flatMap((copy) => folds.map((fold) => (copy - fold + 64) % 64)));
        expect(new Set([...served].map((offset) => offset % serving.period))).toEqual(new Set(serving.offsets));
        const flags = new Uint8Array(serving.period);
        for (const u of wanted) flags[u % serving.period] = 1;
        const diagonals = coverDifferences(flags, serving, 64)!;
        expect(diagonals.length).toBeLessThanOrEqual(new Set(wanted.map((u) => u % serving.period)).size);
        for (const u of wanted) expect([...diagonals].some((d) => served.has((d - u + 128) % 64))).toBe(true);
      }),
    );
  });

  test("a full window of copies needs one diagonal a window, and a limit is kept", () => {
    const folds = sumsOf(bitSummands(0, 4));
    const serving = servingOffsets([0], 256, folds, 256);
    expect(coverDifferences(new Uint8Array(256).fill(1), serving, 256)).toHaveLength(16);
    expect(coverDifferences(new Uint8Array(256).fill(1), serving, 15)).toBeUndefined();
    expect(coverDifferences(new Uint8Array(256), serving, 15)).toHaveLength(0);
    const scattered = (): Uint8Array => new Uint8Array(256).map((_, u) => (u % 100 === 0 ? 1 : 0));
    expect(coverDifferences(scattered(), serving, 3)).toHaveLength(3);
    expect(coverDifferences(scattered(), serving, 2)).toBeUndefined();
  });
});

describe("baby steps and giant steps", () => {
  const prices = pricesAt(rotationCount, 1);

  test("a hundred neighbouring diagonals take 18 rotations when only they count", () => {
    const sets = {
      period: 4096,
      slots: 4096,
      inputs: 1,
      outputs: 1,
      lists: [Int32Array.from({ length: 100 }, (_, d) => d)],
    };
    const split = chooseSplit(sets, allStrides(4096), prices, new Set());
    const { babies, giants } = rotationsOf(sets, split);
    expect(babies[0]!.size + giants[0]!.size).toBe(18);
  });

  test("shifts to both sides are baby steps", () => {
    const simd = pricesAt(simdPrices(4096), 1);
    const lists = [Int32Array.of(0, 1, 2, 4094, 4095)];
    const sets = { period: 4096, slots: 4096, inputs: 1, outputs: 1, lists };
    const { babies, giants } = rotationsOf(sets, chooseSplit(sets, usualStrides(4096, []), simd, new Set()));
    expect(babies).toEqual([new Set([1, 2, 4094, 4095])]);
    expect(giants).toEqual([new Set()]);
  });

  test("no product costs less than its bound", () => {
    for (const costs of [simdPrices(4096), typescriptPrices, rotationCount]) {
      const own = pricesAt(costs, 3);
      for (const count of [1, 2, 7, 36, 100, 500]) {
        const lists = [Int32Array.from({ length: count }, (_, d) => d)];
        const sets = { period: 4096, slots: 4096, inputs: 1, outputs: 1, lists };
        const { price } = chooseSplit(sets, allStrides(4096), own, new Set());
        expect(leastProductPrice(own, count)).toBeLessThanOrEqual(price + 1e-9);
        expect(mostDiagonals(own, price + 1e-9, 4096)).toBeGreaterThanOrEqual(count);
      }
    }
  });
});

test("strides are read off the entries, padded or not", () => {
  expect(imageStride(mapOf(conv(1, 2, 3, { stride: [2, 3], padding: 1 }), [1, 9, 11]))).toEqual({ y: 2, x: 3 });
  // Six rows at a stride of two would follow rows that the input has not got.
  expect(imageStride(mapOf(conv(1, 2, 3, { stride: 2, padding: 2 }), [1, 9, 11]))).toEqual({ y: 1, x: 1 });
  expect(imageStride(mapOf(conv(2, 2, 5, { padding: 2 }), [2, 8, 8]))).toEqual({ y: 1, x: 1 });
  expect(imageStride(mapOf(pool(3), [2, 9, 9]))).toEqual({ y: 3, x: 3 });
  expect(imageStride(mapOf(conv(1, 1, 1, { padding: 1 }), [1, 4, 4]))).toBeUndefined();
});

describe("pools", () => {
  const prices = pricesAt(typescriptPrices, 1);

  test("a pool of an image is a sum of rotations, its factor the number of pixels", () => {
    const map = mapOf(pool(2), [2, 6, 6]);
    const input = flatLayout([2, 6, 6], 128);
    const stage = lowerPool(choosePool(map, input, prices, new Set())!);
    expect(stage.factor).toBe(4);
    const elements = values(72);
    const expected = applyAffine(map, elements).map((value) => 4 * value);
    expectCopies(stage.output, runStage(fillSlots(input, elements), stage), expected);
  });

  test("phases that fill the ciphertext leave a copy in each", () => {
    const position = Int32Array.from({ length: 16 }, (_, e) => {
      const [y, x] = [e >> 2, e & 3];
      return ((y & 1) * 2 + (x & 1)) * 16 + (y >> 1) * 2 + (x >> 1);
    });
    const map = mapOf(pool(2), [1, 4, 4]);
    const input = createLayout([1, 4, 4], 64, position);
    const choice = choosePool(map, input, prices, new Set())!;
    expect([...choice.output.replicas]).toEqual([0, 16, 32, 48]);
    const elements = values(16);
    const slots = runStage(fillSlots(input, elements), lowerPool(choice));
    expectCopies(
      choice.output,
      slots,
      applyAffine(map, elements).map((value) => 4 * value),
    );
  });

  test("other ciphertexts are added, not rotated", () => {
    const map = affineMap([8], [4], (row, add) => {
      add(row, 0.5);
      add(row + 4, 0.5);
    });
    const choice = choosePool(map, flatLayout([8], 4), prices, new Set())!;
    expect(choice.sums).toEqual([[0, 1]]);
    expect(choice.folds).toEqual([]);
  });

  test("a bias is added to every copy, as many times too large as the sums", () => {
    const map = affineMap([4], [2], (row, add) => [2 * row, 2 * row + 1].map((column) => add(column, 0.25)), [3, -5]);
    const input = createLayout([4], 16, Int32Array.of(0, 1, 2, 3), [0, 8]);
    const stage = lowerPool(choosePool(map, input, prices, new Set())!, 10);
    const elements = values(4);
    const slots = runStage(
      fillSlots(
        input,
        elements.map((value) => 10 * value),
      ),
      stage,
    );
    expectCopies(
      stage.output,
      slots,
      applyAffine(map, elements).map((value) => 40 * value),
    );
  });

  test("unequal weights or a padding are no pool", () => {
    const input = flatLayout([4], 8);
    const sum = (weights: readonly number[], bias?: readonly number[]) =>
      affineMap([4], [2], (row, add) => weights.map((w, i) => add(2 * row + i, w)), bias);
    expect(choosePool(sum([1, 1]), input, prices, new Set())).toBeDefined();
    expect(choosePool(sum([1, 2]), input, prices, new Set())).toBeUndefined();
    expect(choosePool(sum([1, 1], [0, 1]), input, prices, new Set())).toBeDefined();
    const uneven = affineMap([4], [2], (row, add) => add(row * 3, 1));
    expect(choosePool(uneven, input, prices, new Set())).toBeDefined();
    const gap = affineMap([4], [2], (row, add) => [0, row + 1].map((c) => add(c, 1)));
    expect(choosePool(gap, input, prices, new Set())).toBeUndefined();
  });
});

describe("lowering one map on a given layout", () => {
  test("gives the map's values at every copy, whatever the unused slots hold", () => {
    const arbitrary = fc.record({
      inputs: fc.integer({ min: 1, max: 40 }),
      outputs: fc.integer({ min: 1, max: 24 }),
      density: fc.double({ min: 0.05, max: 1, noNaN: true }),
      pitch: fc.constantFrom(1, 2, 3),
      copies: fc.constantFrom([0], [0, 128], [0, 64, 128, 192]),
      slots: fc.constantFrom(16, 64, 256),
      costs: fc.constantFrom(typescriptPrices, rotationCount),
    });
    fc.assert(
      fc.property(arbitrary, ({ inputs, outputs, density, pitch, copies, slots, costs }) => {
        const map = affineMap(
          [inputs],
          [outputs],
          (_, add) => {
            for (let column = 0; column < inputs; column++) if (Math.abs(random()) < density) add(column, random());
          },
          values(outputs),
        );
        const position = Int32Array.from({ length: inputs }, (_, e) => e * pitch);
        const fits = slots === 256 && inputs * pitch <= (copies[1] ?? slots);
        const input = createLayout([inputs], slots, position, fits ? copies : [0]);
        const stage = lowerAffine(map, input, { costs, level: 2 });
        const elements = values(inputs);
        expectCopies(stage.output, runStage(fillSlots(input, elements), stage), applyAffine(map, elements));
      }),
    );
  });

  test("a convolution whose input has copies uses them for its channels", () => {
    const map = mapOf(conv(1, 4, 3), [1, 8, 8]);
    const position = Int32Array.from({ length: 64 }, (_, e) => e);
    const costs = rotationCount;
    const diagonalsOf = (replicas: readonly number[]): number =>
      lowerAffine(map, createLayout([1, 8, 8], 256, position, replicas), { costs, level: 1 })
        .transforms.flat()
        .reduce((sum, { terms }) => sum + terms.length, 0);
    expect(diagonalsOf([0, 64, 128, 192])).toBe(9);
    expect(diagonalsOf([0])).toBeGreaterThan(9);
  });

  test("an input of another size is refused", () => {
    const map = mapOf(conv(1, 1, 3), [1, 8, 8]);
    expect(() => lowerAffine(map, flatLayout([63], 64), { costs: typescriptPrices, level: 1 })).toThrow(
      `input must hold the ${sizeOf([1, 8, 8])} elements`,
    );
  });
});
