import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AffineMap,
  affineMap,
  applyAffine,
  composeAffine,
  identityAffine,
  nonzeros,
} from "../../src/plan/affine-map.ts";

/** Small integers, so that every sum is exact and results can be compared for equality. */
const entry = fc.integer({ min: -4, max: 4 });
const vector = (length: number) => fc.array(entry, { minLength: length, maxLength: length });
const matrix = (rows: number, columns: number) => fc.array(vector(columns), { minLength: rows, maxLength: rows });

function fromDense(dense: number[][], bias: number[]): AffineMap {
  return affineMap(
    [dense[0].length],
    [dense.length],
    (row, add) => {
      for (const [column, weight] of dense[row].entries()) add(column, weight);
    },
    bias,
  );
}

function toDense(map: AffineMap): number[][] {
  return Array.from(map.bias, (_, row) => {
    const dense = new Array<number>(map.inputShape.reduce((a, b) => a * b, 1)).fill(0);
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) dense[map.column[k]] += map.weight[k];
    return dense;
  });
}

/** What the interface promises of every map. */
function expectCanonical(map: AffineMap): void {
  expect(map.rowStart[0]).toBe(0);
  expect(map.rowStart.at(-1)).toBe(map.column.length);
  expect(map.weight.length).toBe(map.column.length);
  expect(map.rowStart.length).toBe(map.bias.length + 1);
  expect(map.weight.every((weight) => weight !== 0)).toBe(true);
  for (let row = 0; row < map.bias.length; row++) {
    const columns = map.column.subarray(map.rowStart[row], map.rowStart[row + 1]);
    expect(columns.every((column, k) => k === 0 || columns[k - 1] < column)).toBe(true);
  }
}

describe("affineMap", () => {
  test("sorts columns, adds duplicates up, drops zeros and cancellations", () => {
    const rows = [
      [
        [3, 1],
        [0, 2],
        [3, 4],
      ],
      [
        [1, 0],
        [2, 5],
        [2, -5],
      ],
      [
        [2, 7],
        [1, -0.5],
        [0, 1],
      ],
    ];
    const map = affineMap([4], [3], (row, add) => {
      for (const [column, weight] of rows[row]) add(column, weight);
    });
    expect([...map.rowStart]).toEqual([0, 2, 2, 5]);
    expect([...map.column]).toEqual([0, 3, 0, 1, 2]);
    expect([...map.weight]).toEqual([2, 5, 1, -0.5, 7]);
    expect([...map.bias]).toEqual([0, 0, 0]);
    expect(nonzeros(map)).toBe(5);
  });

  test("any list of entries, in any order, gives the matrix of their sums", () => {
    const shapes = fc.record({ rows: fc.integer({ min: 1, max: 6 }), columns: fc.integer({ min: 1, max: 7 }) });
    const entries = shapes.chain(({ rows, columns }) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        list: fc.array(fc.tuple(fc.nat(rows - 1), fc.nat(columns - 1), entry), { maxLength: 60 }),
      }),
    );
    fc.assert(
      fc.property(entries, ({ rows, columns, list }) => {
        const expected = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
        for (const [row, column, weight] of list) expected[row][column] += weight;
        const map = affineMap([columns], [rows], (current, add) => {
          for (const [row, column, weight] of list) if (row === current) add(column, weight);
        });
        expectCanonical(map);
        expect(toDense(map)).toEqual(expected);
      }),
    );
  });

  test("keeps its own copy of the bias and of the shapes", () => {
    const bias = Float64Array.of(1, 2);
    const shape = [2];
    const map = affineMap(shape, shape, () => {}, bias);
    bias[0] = 9;
    shape[0] = 9;
    expect([...map.bias]).toEqual([1, 2]);
    expect([...map.inputShape, ...map.outputShape]).toEqual([2, 2]);
  });

  test.each([
    ["a column beyond the input", () => affineMap([3], [1], (_, add) => add(3, 1)), /row 0 names column 3.*0 … 2/],
    ["a negative column", () => affineMap([3], [1], (_, add) => add(-1, 1)), /column -1/],
    ["a fractional column", () => affineMap([3], [1], (_, add) => add(0.5, 1)), /column 0.5/],
    ["a column that is no number", () => affineMap([3], [1], (_, add) => add(Number.NaN, 1)), /column NaN/],
    ["a weight that is no number", () => affineMap([3], [1], (_, add) => add(1, Number.NaN)), /row 0, column 1/],
    ["an infinite bias", () => affineMap([3], [1], () => {}, [Number.POSITIVE_INFINITY]), /bias.*Infinity in row 0/],
    ["a bias of another length", () => affineMap([3], [2], () => {}, [1]), /bias must hold 2 values.*got 1/],
    ["an empty axis", () => affineMap([0], [2], () => {}), /inputShape.*got 0/],
    ["a size that no index reaches", () => affineMap([3], [65536, 32768], () => {}), /outputShape.*below 2\^31/],
  ])("refuses %s", (_, make, message) => {
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });
});

describe("identityAffine", () => {
  test("keeps the values and takes the new shape", () => {
    const map = identityAffine([2, 3], [6]);
    expectCanonical(map);
    expect([map.inputShape, map.outputShape]).toEqual([[2, 3], [6]]);
    const x = Float64Array.of(1, -2, 3, -4, 5, -6);
    expect(applyAffine(map, x)).toEqual(x);
    expect(identityAffine([2, 3]).outputShape).toEqual([2, 3]);
  });

  test("refuses a shape of another size", () => {
    expect(() => identityAffine([2, 3], [5])).toThrow(/the 6 elements of 2x3, got 5/);
  });
});

describe("composeAffine", () => {
  const chain = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
    .chain(([outputs, middle, inputs]) =>
      fc.record({
        first: fc.tuple(matrix(middle, inputs), vector(middle)),
        second: fc.tuple(matrix(outputs, middle), vector(outputs)),
        x: vector(inputs),
      }),
    );

  test("is the dense product, and applying it is applying both", () => {
    fc.assert(
      fc.property(chain, ({ first, second, x }) => {
        const composed = composeAffine(fromDense(...second), fromDense(...first));
        expectCanonical(composed);
        const product = second[0].map((row) =>
          first[0][0].map((_, column) => row.reduce((sum, weight, k) => sum + weight * first[0][k][column], 0)),
        );
        expect(toDense(composed)).toEqual(product.map((row) => row.map((value) => value + 0)));
        const input = Float64Array.from(x);
        const twice = applyAffine(fromDense(...second), applyAffine(fromDense(...first), input));
        expect(applyAffine(composed, input)).toEqual(twice);
      }),
    );
  });

  test("the identity changes nothing on either side", () => {
    fc.assert(
      fc.property(chain, ({ first }) => {
        const map = fromDense(...first);
        expect(composeAffine(map, identityAffine(map.inputShape))).toEqual(map);
        expect(composeAffine(identityAffine(map.outputShape), map)).toEqual(map);
      }),
    );
  });

  test("wants exactly the same shape between the two", () => {
    const give = () => composeAffine(identityAffine([6]), identityAffine([2, 3]));
    expect(give).toThrow(/gives 2x3, the second takes 6/);
    expect(give).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
  });

  test("gives nothing beyond either limit, and the same map at it", () => {
    const dense = fromDense(
      [
        [1, 2],
        [3, 4],
      ],
      [1, 1],
    );
    const whole = composeAffine(dense, dense);
    expect(nonzeros(whole)).toBe(4);
    expect(composeAffine(dense, dense, { nonzeros: 4, products: 8 })).toEqual(whole);
    expect(composeAffine(dense, dense, { nonzeros: 3 })).toBeUndefined();
    expect(composeAffine(dense, dense, { products: 7 })).toBeUndefined();
  });

  test("reports an overflow instead of keeping an infinity", () => {
    const huge = fromDense([[1e200]], [0]);
    expect(() => composeAffine(huge, huge)).toThrow(/weights must be finite, got Infinity/);
    expect(() => composeAffine(huge, fromDense([[1]], [1e200]))).toThrow(/bias must be finite/);
  });

  test("stops at the limit: rows beyond it are not computed", () => {
    // Row 1 of the product overflows, which throws as soon as it is reached.
    const second = fromDense(
      [
        [1, 1],
        [1e200, 0],
      ],
      [0, 0],
    );
    const first = fromDense(
      [
        [1e200, 1],
        [1, 1],
      ],
      [0, 0],
    );
    expect(() => composeAffine(second, first)).toThrow(RangeError);
    expect(composeAffine(second, first, { nonzeros: 1 })).toBeUndefined();
    expect(composeAffine(second, first, { products: 5 })).toBeUndefined();
  });
});
