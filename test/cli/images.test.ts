import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ImageArguments, type ImageSet, readImageFiles } from "../../src/cli/images.ts";
import { inputShapeFor } from "../../src/cli/input-shape.ts";
import { loadFixture } from "../server/wire.ts";
import { fixture, npy } from "./process.ts";

const LENET = loadFixture("models/lenet1-square/lenet1-square.pt");
const DIGIT = fixture("data/digit7-a.png");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "crcnn-images-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(shape: number[], values: readonly number[], options: ImageArguments = {}): Promise<ImageSet> {
  const file = join(folder, "values.npy");
  const size = shape.reduce((product, length) => product * length, 1);
  writeFileSync(
    file,
    npy(
      shape,
      Array.from({ length: size }, (_, i) => values[i % values.length]!),
    ),
  );
  return readImageFiles([file], options);
}

test.each<[string, number[], ImageArguments, [number, number]]>([
  ["pixels", [0, 0.25, 1], {}, [0, 1]],
  ["faint pixels, whose range says nothing of them", [0, 0.01], {}, [0, 1]],
  ["normalised pixels", [0, 0.25], { mean: "0.5", std: "0.25" }, [-2, 2]],
  ["a negative deviation turns the range round", [0, 1], { mean: "0", std: "-0.5" }, [-2, 0]],
  ["a mean alone", [0, 1], { mean: "0.25" }, [-0.25, 0.75]],
  ["values of both signs, rounded outwards to powers of two", [-0.42, 2.82], {}, [-0.5, 4]],
  ["powers of two themselves", [-2, 8], {}, [-2, 8]],
  ["bytes", [0, 255], {}, [0, 256]],
  ["nothing but negative values", [-3, -5], {}, [-8, 0]],
  ["values that normalisation makes all zero", [100], { mean: "100" }, [0, 1]],
  ["values that are normalised here", [0, 200], { mean: "100", std: "50" }, [-2, 2]],
])("the input range of %s", async (_, values, options, expected) => {
  const { inputRange } = await read([1, 4, 4], values, options);
  expect(inputRange[0]).toBeCloseTo(expected[0], 12);
  expect(inputRange[1]).toBeCloseTo(expected[1], 12);
});

test("each channel has its own mean and deviation", async () => {
  const { images, inputRange } = await read([3, 1, 1], [0.5, 0.5, 0.5], { mean: "0,0.5,1", std: "1,0.5,0.25" });
  expect(Array.from(images[0]!.tensor.data)).toEqual([0.5, 0, -2]);
  expect(inputRange).toEqual([-4, 1]);
});

test("images are counted over all files, and named by file and number", async () => {
  const many = fixture("data/mnist16-images-idx3-ubyte.gz");
  const { images, shape } = await readImageFiles([DIGIT, many], { first: "3" }, LENET);
  expect(images.map(({ name }) => name)).toEqual([DIGIT, `${many}[0]`, `${many}[1]`]);
  expect(shape).toEqual([1, 28, 28]);
  // Number 7 of the digits is image 0 of the test set.
  expect(images[0]!.tensor).toEqual(images[1]!.tensor);
  expect((await readImageFiles([many], {}, LENET)).images).toHaveLength(16);
});

test("a batch without a channel axis is one where the network takes one channel", async () => {
  const file = join(folder, "batch.npy");
  writeFileSync(file, npy([5, 28, 28], new Array(5 * 784).fill(0)));
  const { images, shape } = await readImageFiles([file], {}, LENET);
  expect({ images: images.length, shape }).toEqual({ images: 5, shape: [1, 28, 28] });
});

test("images of several shapes are refused", async () => {
  const file = join(folder, "small.npy");
  writeFileSync(file, npy([1, 29, 29], new Array(841).fill(0)));
  await expect(readImageFiles([DIGIT, file], {}, LENET)).rejects.toThrow(
    /small\.npy: it has the shape 1x29x29, .* 1x28x28/,
  );
});

test("the shape that a model takes is found from its layers", () => {
  expect(inputShapeFor(LENET, [1, 28, 28])).toEqual([1, 28, 28]);
  expect(inputShapeFor(LENET, [3, 28, 28])).toEqual([1, 28, 28]);
  expect(inputShapeFor(LENET, [1, 64, 64])).toEqual([1, 28, 28]);
  expect(inputShapeFor(loadFixture("variants/linear-plain.pt"), [1, 28, 28])).toEqual([12]);
  expect(inputShapeFor(loadFixture("models/mlp/mlp.pt"), [2, 3])).toEqual([1, 28, 28]);
  // Four channels are beyond guessing.
  expect(inputShapeFor(loadFixture("variants/flatten-linear.pt"), [1, 9, 9])).toBeUndefined();
});
