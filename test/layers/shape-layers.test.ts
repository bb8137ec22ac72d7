import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adaptiveAvgPool2dLayer,
  avgPool1dLayer,
  avgPool2dLayer,
  conv1dLayer,
  conv2dLayer,
  flattenLayer,
  identityLayer,
  type SidePadding,
  unflattenLayer,
  zeroPad2dLayer,
} from "../../src/layers/index.ts";
import { sizeOf, type Tensor } from "../../src/plan/index.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

const small = fc.integer({ min: 1, max: 7 });
const image = fc.tuple(fc.integer({ min: 1, max: 3 }), small, small);
const mismatch = expect.objectContaining({ code: "SHAPE_MISMATCH" });

/** An element of an image, zero outside of it. */
const at = ({ shape, data }: Tensor, c: number, y: number, x: number): number =>
  y < 0 || x < 0 || y >= shape[1] || x >= shape[2] ? 0 : data[(c * shape[1] + y) * shape[2] + x];

/** An image of which each element is computed by itself. */
function imageOf(shape: readonly number[], value: (c: number, y: number, x: number) => number): Float64Array {
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
    value(Math.floor(i / (shape[1] * shape[2])), Math.floor(i / shape[2]) % shape[1], i % shape[2]),
  );
}

describe("ZeroPad2d", () => {
  const side = fc.integer({ min: -2, max: 3 });

  test("puts zeros around an image, or crops it", () => {
    fc.assert(
      fc.property(seeds, image, fc.tuple(side, side, side, side), (seed, shape, padding) => {
        const [left, right, top, bottom] = padding;
        fc.pre(shape[1] + top + bottom > 0 && shape[2] + left + right > 0);
        const input = randomTensor(seed, shape);
        const layer = zeroPad2dLayer(padding);
        const output = layer.forward(input);
        expect(output.shape).toEqual([shape[0], shape[1] + top + bottom, shape[2] + left + right]);
        expect(output.data).toEqual(imageOf(output.shape, (c, y, x) => at(input, c, y - top, x - left)));
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("takes one number for all sides", () => expect(zeroPad2dLayer(2).outputShape([1, 3, 4])).toEqual([1, 7, 8]));

  test("refuses what is no padding, and inputs that it does not take", () => {
    expect(() => zeroPad2dLayer([1, 2] as unknown as SidePadding)).toThrow(/one integer or four.*got 2/);
    expect(() => zeroPad2dLayer(0.5)).toThrow(RangeError);
    expect(() => zeroPad2dLayer("1" as unknown as number)).toThrow(TypeError);
    expect(() => zeroPad2dLayer(1).outputShape([4, 4])).toThrow(mismatch);
    expect(() => zeroPad2dLayer(-2).outputShape([1, 4, 9])).toThrow(mismatch);
  });
});

describe("AdaptiveAvgPool2d", () => {
  test("is the mean over floor(i h / H) to ceil((i + 1) h / H)", () => {
    fc.assert(
      fc.property(seeds, image, fc.option(small), fc.option(small), (seed, shape, outHeight, outWidth) => {
        const input = randomTensor(seed, shape);
        const layer = adaptiveAvgPool2dLayer([outHeight, outWidth]);
        const output = layer.forward(input);
        expect(output.shape).toEqual([shape[0], outHeight ?? shape[1], outWidth ?? shape[2]]);
        const range = (i: number, inputs: number, outputs: number): number[] => {
          // By enumeration: a window holds every input that overlaps its share of the axis.
          return Array.from({ length: inputs }, (_, k) => k).filter(
            (k) => (k + 1) * outputs > i * inputs && k * outputs < (i + 1) * inputs,
          );
        };
        const wanted = imageOf(output.shape, (c, y, x) => {
          const rows = range(y, shape[1], output.shape[1]);
          const columns = range(x, shape[2], output.shape[2]);
          const values = rows.flatMap((row) => columns.map((column) => at(input, c, row, column)));
          return values.reduce((sum, value) => sum + value, 0) / values.length;
        });
        expect(relativeError(output.data, wanted)).toBeLessThan(1e-13);
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("is AvgPool2d where the sizes divide", () => {
    const input = randomTensor(1, [2, 6, 8]);
    const plain = avgPool2dLayer({ kernelSize: [3, 2] }).forward(input);
    expect(adaptiveAvgPool2dLayer([2, 4]).forward(input)).toEqual(plain);
  });

  test("refuses sizes that are none, and vectors", () => {
    expect(() => adaptiveAvgPool2dLayer(0)).toThrow(RangeError);
    expect(() => adaptiveAvgPool2dLayer([1] as unknown as [number, number])).toThrow(/one size or two/);
    expect(() => adaptiveAvgPool2dLayer("1" as unknown as number)).toThrow(TypeError);
    expect(() => adaptiveAvgPool2dLayer(1).outputShape([4])).toThrow(mismatch);
    expect(() => adaptiveAvgPool2dLayer(2 ** 20).outputShape([1, 1, 1])).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_LAYER" }),
    );
  });
});

describe("Unflatten", () => {
  test("undoes Flatten", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.array(small, { minLength: 1, maxLength: 4 }),
        fc.nat(3),
        fc.boolean(),
        (seed, shape, a, guess) => {
          const axis = a % shape.length;
          const sizes = shape.slice(axis).map((size, i) => (guess && i === 0 ? -1 : size));
          const layer = unflattenLayer({ dim: axis + 1, unflattenedSize: sizes });
          const input = randomTensor(seed, shape);
          const flat = flattenLayer({ startDim: axis + 1 }).forward(input);
          expect(layer.forward(flat)).toEqual(input);
          expect(unflattenLayer({ dim: -1, unflattenedSize: sizes }).forward(flat)).toEqual(input);
          expectAlgebraIsForward(layer, flat);
        },
      ),
    );
  });

  test("refuses the batch axis, sizes that are none, and what does not divide", () => {
    expect(() => unflattenLayer({ dim: 0, unflattenedSize: [1] })).toThrow(/batch axis 0/);
    expect(() => unflattenLayer({ dim: 1, unflattenedSize: [] })).toThrow(TypeError);
    expect(() => unflattenLayer({ dim: 1, unflattenedSize: [0, 2] })).toThrow(RangeError);
    expect(() => unflattenLayer({ dim: 1, unflattenedSize: [-1, -1] })).toThrow(/only one/);
    for (const [dim, sizes] of [
      [1, [2, 4]],
      [1, [-1, 4]],
      [3, [6]],
      [-3, [6]],
    ] as const) {
      expect(() => unflattenLayer({ dim, unflattenedSize: sizes }).outputShape([6, 2])).toThrow(mismatch);
    }
  });
});

describe("Identity and dropout", () => {
  test.each([
    "Identity",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
  ] as const)("%s changes nothing", (kind) => {
    const layer = identityLayer(kind);
    const input = randomTensor(1, [2, 3, 4]);
    expect(layer.kind).toBe(kind);
    expect(layer.forward(input)).toEqual(input);
    expect(layer.forward(input).data).not.toBe(input.data);
    expectAlgebraIsForward(layer, input);
  });
});

describe("layers on one axis", () => {
  test("Conv1d is Conv2d on images of height 1", () => {
    const shapes = fc.record({
      seed: seeds,
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.integer({ min: 0, max: 3 }),
      dilation: fc.integer({ min: 1, max: 2 }),
      groups: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(shapes, ({ seed, kernel, stride, padding, dilation, groups }) => {
        const weight = randomTensor(seed, [4, 2, kernel]);
        const bias = randomTensor(seed + 1, [4]);
        const input = randomTensor(seed + 2, [2 * groups, 9]);
        const layer = conv1dLayer({ weight, bias, stride: [stride], padding, dilation, groups });
        const wide = conv2dLayer({
          weight: { ...weight, shape: [4, 2, 1, kernel] },
          bias,
          stride: [1, stride],
          padding: [0, padding],
          dilation: [1, dilation],
          groups,
        }).forward({ ...input, shape: [2 * groups, 1, 9] });
        expect(layer.forward(input)).toEqual({ shape: [4, wide.shape[2]], data: wide.data });
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("same and valid padding", () => {
    const weight = randomTensor(1, [3, 2, 4]);
    expect(conv1dLayer({ weight, padding: "same" }).outputShape([2, 9])).toEqual([3, 9]);
    expect(conv1dLayer({ weight, padding: "valid" }).outputShape([2, 9])).toEqual([3, 6]);
    expect(() => conv1dLayer({ weight, padding: "same", stride: 2 })).toThrow(RangeError);
  });

  test("AvgPool1d averages windows", () => {
    const input = { shape: [1, 5], data: Float64Array.of(1, 2, 3, 4, 5) };
    const pooled = (options: Parameters<typeof avgPool1dLayer>[0]): number[] => {
      const layer = avgPool1dLayer(options);
      expectAlgebraIsForward(layer, input);
      return [...layer.forward(input).data];
    };
    expect(pooled({ kernelSize: 2 })).toEqual([1.5, 3.5]);
    expect(pooled({ kernelSize: [2], ceilMode: true })).toEqual([1.5, 3.5, 5]);
    expect(pooled({ kernelSize: 2, stride: 4, padding: 1 })).toEqual([0.5, 4.5]);
    expect(pooled({ kernelSize: 2, stride: 4, padding: 1, countIncludePad: false })).toEqual([1, 4.5]);
  });

  test("refuse images and name themselves", () => {
    const layers = [conv1dLayer({ weight: randomTensor(1, [3, 2, 4]) }), avgPool1dLayer({ kernelSize: 4 })];
    for (const layer of layers) {
      expect(() => layer.outputShape([2, 9, 9])).toThrow(mismatch);
      expect(() => layer.outputShape([2, 3])).toThrow(new RegExp(`^${layer.kind} `));
    }
    expect(() => conv1dLayer({ weight: randomTensor(1, [3, 2, 1, 4]) })).toThrow(/Conv1d: weight/);
    expect(() => avgPool1dLayer({ kernelSize: [1, 2] as unknown as [number] })).toThrow(TypeError);
  });
});
