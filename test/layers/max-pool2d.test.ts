import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { avgPool2dLayer, maxPool2dLayer } from "../../src/layers/index.ts";
import { randomTensor, seeds } from "./support.ts";

const pair = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
const options = fc
  .record({
    kernelSize: pair(1, 4),
    stride: pair(1, 3),
    dilation: pair(1, 3),
    ceilMode: fc.boolean(),
    half: pair(0, 2),
  })
  .map(({ half, ...rest }) => ({
    ...rest,
    padding: [0, 1].map((axis) => Math.min(half[axis]!, Math.floor(rest.kernelSize[axis]! / 2))) as [number, number],
  }));

describe("MaxPool2d", () => {
  test("takes the largest element of every window, padding aside", () => {
    fc.assert(
      fc.property(seeds, options, pair(10, 12), (seed, chosen, size) => {
        const layer = maxPool2dLayer(chosen);
        const input = randomTensor(seed, [2, ...size]);
        const { shape, data } = layer.forward(input);
        const [, rows, columns] = shape as [number, number, number];
        const { kernelSize, stride, dilation, padding } = chosen;
        for (const [i, value] of data.entries()) {
          const [c, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
          let most = Number.NEGATIVE_INFINITY;
          for (let ky = 0; ky < kernelSize[0]; ky++) {
            for (let kx = 0; kx < kernelSize[1]; kx++) {
              const iy = y * stride[0] - padding[0] + ky * dilation[0];
              const ix = x * stride[1] - padding[1] + kx * dilation[1];
              if (iy < 0 || ix < 0 || iy >= size[0] || ix >= size[1]) continue;
              most = Math.max(most, input.data[(c * size[0] + iy) * size[1] + ix]!);
            }
          }
          expect(value).toBe(most);
        }
      }),
    );
  });

  test("has the windows of AvgPool2d where both have the option", () => {
    fc.assert(
      fc.property(options, pair(5, 9), ({ dilation: _, ...chosen }, size) => {
        expect(maxPool2dLayer(chosen).outputShape([3, ...size])).toEqual(
          avgPool2dLayer(chosen).outputShape([3, ...size]),
        );
      }),
    );
  });

  test.each([
    [{ kernelSize: 2, padding: 2 }, [1, 4, 4], RangeError, /padding must be at most half the kernel 2x2, got 2x2/],
    [{ kernelSize: 0 }, [1, 4, 4], RangeError, /kernelSize must be an integer from 1/],
    [{ kernelSize: 5 }, [1, 4, 4], Error, /kernel 5x5 with dilation 1x1 is larger than the input 1x4x4/],
    [{ kernelSize: 3, dilation: 2 }, [1, 4, 4], Error, /kernel 3x3 with dilation 2x2 is larger/],
    // Its taps lie on both sides of the image.
    [{ kernelSize: 2, dilation: 3, padding: 1, stride: 1 }, [1, 2, 9], Error, /or a window holds padding alone/],
    [{ kernelSize: 2 }, [4, 4], Error, /MaxPool2d takes an image of channels x height x width, got the shape 4x4/],
  ])("refuses %j on %j", (chosen, shape, kind, message) => {
    const use = () => maxPool2dLayer(chosen).outputShape(shape);
    expect(use).toThrow(kind);
    expect(use).toThrow(message);
  });

  test("keeps NaN", () => {
    const { data } = maxPool2dLayer({ kernelSize: 2 }).forward({
      shape: [1, 2, 2],
      data: Float64Array.of(1, Number.NaN, 3, 2),
    });
    expect([...data]).toEqual([Number.NaN]);
  });
});
