import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flattenLayer, squareLayer } from "../../src/layers/index.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { expectAlgebraIsForward, randomTensor, relativeError, seeds } from "./support.ts";

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

/** The images of a variant with the outputs that PyTorch gave for them. */
function recorded(name: string) {
  const outputs = unbatch(readNpy(`variants/${name}.output.npy`));
  return unbatch(readNpy(`variants/${name}.input.npy`)).map((input, image) => ({ input, output: outputs[image] }));
}

describe("Flatten", () => {
  test("keeps the values in order and merges the named axes, counted with the batch axis", () => {
    fc.assert(
      fc.property(seeds, shapes, fc.nat(3), fc.nat(3), fc.boolean(), (seed, shape, a, b, fromEnd) => {
        const [start, end] = [a % shape.length, b % shape.length].sort();
        // The same axis from the other side: -1 is the last.
        const axis = (at: number) => (fromEnd ? at - shape.length : at + 1);
        const layer = flattenLayer({ startDim: axis(start), endDim: axis(end) });
        const input = randomTensor(seed, shape);
        const output = layer.forward(input);
        const merged = shape.filter((_, at) => at >= start && at <= end).reduce((product, size) => product * size);
        expect(output.shape).toEqual(
          shape.flatMap((size, at) => (at === start ? [merged] : at > start && at <= end ? [] : [size])),
        );
        expect(output.data).toEqual(input.data);
        expect(output.data).not.toBe(input.data);
        expectAlgebraIsForward(layer, input);
      }),
    );
  });

  test("merges everything but the batch where nothing is said", () => {
    expect(flattenLayer().outputShape([4, 9, 11])).toEqual([396]);
    expect(flattenLayer().outputShape([7])).toEqual([7]);
    expect(flattenLayer().options).toEqual({ startDim: 1, endDim: -1 });
  });

  test("is PyTorch's: flatten-partial", () => {
    for (const { input, output } of recorded("flatten-partial")) {
      const flat = flattenLayer({ startDim: 2 }).forward(input);
      expect(flat.shape).toEqual(output.shape);
      expect(relativeError(flat.data, output.data)).toBe(0);
    }
  });

  test.each([
    ["the batch axis", { startDim: 0 }, RangeError, /must not be the batch axis 0.*use startDim 1/],
    ["the batch axis as the end", { endDim: 0 }, RangeError, /batch axis 0/],
    ["a fraction", { startDim: 1.5 }, RangeError, /startDim must be an integer, got 1.5/],
    ["a word", { endDim: "last" as unknown as number }, TypeError, /endDim must be an integer, got last/],
  ])("refuses %s", (_, options, kind, message) => {
    expect(() => flattenLayer(options)).toThrow(kind);
    expect(() => flattenLayer(options)).toThrow(message);
  });

  test.each([
    ["an axis that the input has not", { startDim: 3 }, [4, 9]],
    ["an end that the input has not", { endDim: 3 }, [4, 9]],
    ["an end before the start", { startDim: 2, endDim: 1 }, [4, 9]],
    ["the batch axis counted from the end", { startDim: -3 }, [4, 9]],
    ["an axis before all", { startDim: -4 }, [4, 9]],
    ["an input without axes", {}, []],
  ])("refuses %s when it meets the shape", (_, options, shape) => {
    const layer = flattenLayer(options);
    expect(() => layer.outputShape(shape)).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
  });
});

describe("Square", () => {
  test("multiplies each value by itself, in any shape", () => {
    fc.assert(
      fc.property(seeds, shapes, (seed, shape) => {
        const input = randomTensor(seed, shape);
        const output = squareLayer().forward(input);
        expect(output.shape).toEqual(shape);
        expect([...output.data]).toEqual([...input.data].map((x) => x ** 2));
      }),
    );
    expect(squareLayer().algebra([2, 2])).toEqual({ kind: "square" });
    expect(squareLayer().options).toEqual({});
  });

  test.each([
    ["square-only", 1],
    ["square-twice", 2],
  ])("is PyTorch's: %s", (name, times) => {
    for (const { input, output } of recorded(name)) {
      let value: ReturnType<typeof randomTensor> = input;
      for (let time = 0; time < times; time++) value = squareLayer().forward(value);
      expect(value.shape).toEqual(output.shape);
      expect(relativeError(value.data, output.data)).toBeLessThan(1e-12);
    }
  });
});
