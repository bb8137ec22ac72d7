import fc from "fast-check";
import { encode } from "fast-png";
import { gzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { type Images, MAX_INFLATED_BYTES, normalize, readImages } from "../../src/data/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { ascii, concat, fixture, idx, npy, refusal } from "./fixtures.ts";

const labels = JSON.parse(new TextDecoder().decode(fixture("data/labels.json"))) as {
  file: string;
  label: number;
  index: number;
}[];
const samples = readImages(fixture("samples/mnist16.input.npy"), "mnist16.input.npy");

function single(images: Images): { shape: readonly number[]; data: Float64Array } {
  expect(images.images).toHaveLength(1);
  return images.images[0]!;
}

function floats(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

describe("the same digits in every format", () => {
  test("npy holds 16 images", () => {
    expect(samples.format).toBe("npy");
    expect(samples.images).toHaveLength(16);
    expect(samples.images[0]?.shape).toEqual([1, 28, 28]);
  });

  test.each(labels.filter(({ index }) => index < 16))("$file is sample $index", ({ file, index }) => {
    const { images, format } = readImages(fixture(`data/${file}`), file);
    expect(format).toBe("png");
    expect(images[0]?.shape).toEqual([1, 28, 28]);
    // The npy file holds byte / 255 rounded to single precision.
    expect(images[0]?.data.map(Math.fround)).toEqual(samples.images[index]?.data);
  });

  test("idx, gzipped, whatever its name", () => {
    const { images, format } = readImages(fixture("data/mnist16-images-idx3-ubyte.gz"), "digits.png");
    expect(format).toBe("idx");
    expect(images.map(({ data }) => data.map(Math.fround))).toEqual(samples.images.map(({ data }) => data));
  });

  test("labels are no images", () => {
    const error = refusal(() => readImages(fixture("data/mnist16-labels-idx1-ubyte.gz"), "labels.gz"));
    expect(error.code).toBe("UNSUPPORTED_FILE");
    expect(error.message).toContain("16 labels");
  });
});

describe("PNG", () => {
  test("16 bits are divided by 65535", () => {
    const png = encode({ width: 2, height: 1, data: Uint16Array.of(65535, 13107), depth: 16, channels: 1 });
    expect([...single(readImages(png, "a")).data]).toEqual([1, 0.2]);
  });

  test("colours become planes, alpha is dropped", () => {
    const pixels = Uint8Array.of(255, 0, 51, 0, 102, 255, 0, 128);
    const { shape, data } = single(readImages(encode({ width: 2, height: 1, data: pixels, channels: 4 }), "a"));
    expect(shape).toEqual([3, 1, 2]);
    expect([...data]).toEqual([1, 0.4, 0, 1, 0.2, 0]);
  });

  test("grey with alpha has one channel", () => {
    const png = encode({ width: 2, height: 1, data: Uint8Array.of(255, 7, 51, 0), channels: 2 });
    expect(single(readImages(png, "a"))).toEqual({ shape: [1, 1, 2], data: Float64Array.of(1, 0.2) });
  });

  test("a palette of 4 bits", () => {
    const palette = [[255, 0, 0] as number[], [0, 51, 255]];
    const png = encode({ width: 3, height: 1, data: Uint8Array.of(0x10, 0x10), depth: 4, channels: 1, palette });
    const { shape, data } = single(readImages(png, "a"));
    expect(shape).toEqual([3, 1, 3]);
    expect([...data]).toEqual([0, 1, 0, 0.2, 0, 0.2, 1, 0, 1]);
    const beyond = encode({ width: 3, height: 1, data: Uint8Array.of(0x12, 0x10), depth: 4, channels: 1, palette });
    expect(refusal(() => readImages(beyond, "a")).message).toContain("palette colour 2");
  });

  test("one bit a pixel, rows padded to a byte", () => {
    const png = encode({ width: 9, height: 2, data: Uint8Array.of(0xaa, 0x80, 0x01, 0), depth: 1, channels: 1 });
    expect([...single(readImages(png, "a")).data]).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  });

  test("interlaced", () => {
    const pixels = Uint8Array.from({ length: 99 }, (_, i) => i);
    const image = { width: 11, height: 9, data: pixels, channels: 1 };
    const plain = single(readImages(encode(image), "a"));
    expect(single(readImages(encode(image, { interlace: "Adam7" }), "a"))).toEqual(plain);
  });

  test("grey stored as colour fits a network of one channel", () => {
    const pixels = Uint8Array.of(51, 51, 51, 255, 255, 255);
    const png = encode({ width: 2, height: 1, data: pixels, channels: 3 });
    expect(single(readImages(png, "a", [1, 1, 2]))).toEqual({ shape: [1, 1, 2], data: Float64Array.of(0.2, 1) });
    pixels[0] = 52;
    const coloured = encode({ width: 2, height: 1, data: pixels, channels: 3 });
    expect(refusal(() => readImages(coloured, "a", [1, 1, 2])).code).toBe("SHAPE_MISMATCH");
  });

  test("declared sizes are not believed", () => {
    const png = encode({ width: 2, height: 2, data: new Uint8Array(4), channels: 1 });
    const view = new DataView(png.buffer, png.byteOffset);
    view.setUint32(16, 2 ** 31 - 1);
    expect(refusal(() => readImages(png, "a")).code).toBe("LIMIT_EXCEEDED");
    view.setUint32(16, 3000);
    expect(refusal(() => readImages(png, "a")).code).toBe("INVALID_FILE");
    view.setUint32(16, 1);
    refusal(() => readImages(png, "a"));
  });

  test("a wrong checksum is an error", () => {
    const png = fixture("data/digit3-a.png").slice();
    png[30] = png[30]! ^ 1;
    expect(refusal(() => readImages(png, "a")).code).toBe("INVALID_FILE");
  });
});

describe("npy and IDX axes", () => {
  const values = floats(...Array.from({ length: 24 }, (_, i) => i));

  test.each([
    [[24], [[24]]],
    [[4, 6], [[1, 4, 6]]],
    [[2, 3, 4], [[2, 3, 4]]],
    [
      [2, 1, 3, 4],
      [
        [1, 3, 4],
        [1, 3, 4],
      ],
    ],
  ])("npy %j by itself", (shape, wanted) => {
    expect(readImages(npy("'<f8'", shape, values), "a").images.map((image) => image.shape)).toEqual(wanted);
  });

  test.each([
    [[2, 3, 4], [1, 3, 4], 2],
    [[2, 3, 4], [2, 3, 4], 1],
    [[4, 6], [1, 4, 6], 1],
    [[4, 6], [6], 4],
    [[2, 3, 4], [3, 4], 2],
    [[1, 2, 3, 4], [2, 3, 4], 1],
  ])("npy %j for a network of %j is %i images", (shape, expected, count) => {
    const { images } = readImages(npy("'<f8'", shape, values), "a", expected);
    expect(images.map((image) => image.shape)).toEqual(Array(count).fill(expected));
    expect(images.flatMap(({ data }) => [...data])).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  test("a shape that the network does not take is named", () => {
    const error = refusal(() => readImages(npy("'<f8'", [4, 6], values), "x.npy", [1, 28, 28]));
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toBe("x.npy: it holds 4x6 values and the network takes images of 1x28x28");
  });

  test("five axes are too many", () => {
    expect(refusal(() => readImages(npy("'<f8'", [1, 1, 2, 3, 4], values), "a")).code).toBe("UNSUPPORTED_FILE");
  });

  test("IDX with four axes holds images of several channels", () => {
    const { images } = readImages(idx(8, [2, 3, 1, 2], new Uint8Array(12).fill(255)), "a");
    expect(images.map(({ shape, data }) => [shape, data[0]])).toEqual([
      [[3, 1, 2], 1],
      [[3, 1, 2], 1],
    ]);
  });
});

describe("files of another kind", () => {
  test("a file's name in place of its content", () => {
    expect(() => readImages("digit.png" as unknown as Uint8Array, "digit.png")).toThrow(/^bytes must be a Uint8Array/);
  });

  test.each([
    ["empty", [], "INVALID_FILE"],
    ["JPEG", [0xff, 0xd8, 0xff, 0xe0], "UNSUPPORTED_FILE"],
    ["GIF", ascii("GIF89a"), "UNSUPPORTED_FILE"],
    ["Git LFS", ascii("version https://git-lfs.github.com/spec/v1\n"), "UNSUPPORTED_FILE"],
    ["web page", ascii("<!DOCTYPE html>"), "UNSUPPORTED_FILE"],
    ["zip", [0x50, 0x4b, 3, 4], "UNSUPPORTED_FILE"],
    ["text file", ascii("0.1, 0.2, 0.3\n"), "UNSUPPORTED_FILE"],
    ["no image file", [0, 0, 0, 0, 0, 0], "INVALID_FILE"],
  ])("%s", (words, bytes, code) => {
    const error = refusal(() => readImages(concat(bytes), "upload.png"));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.message.startsWith("upload.png: ")).toBe(true);
  });

  test("a gzip bomb is stopped", () => {
    const bomb = gzipSync(gzipSync(new Uint8Array(2 ** 20)));
    expect(refusal(() => readImages(bomb, "a")).message).toContain("gzip inside gzip");
    const large = gzipSync(new Uint8Array(2 ** 28), { level: 1 });
    expect(refusal(() => readImages(large, "a")).message).toContain(`more than ${MAX_INFLATED_BYTES} bytes`);
  });

  test("a gzip file that is cut off or has a wrong length", () => {
    const file = fixture("data/mnist16-images-idx3-ubyte.gz");
    expect(refusal(() => readImages(file.slice(0, 600), "a")).code).toBe("INVALID_FILE");
    const wrong = file.slice();
    wrong[wrong.length - 4] = 1;
    expect(refusal(() => readImages(wrong, "a")).code).toBe("INVALID_FILE");
  });

  test.each(["data/digit3-a.png", "data/mnist16-images-idx3-ubyte.gz", "samples/mnist16.input.npy"])(
    "damaged copies of %s are images or a CrcnnError",
    (path) => {
      const file = fixture(path);
      const flip = fc.tuple(fc.oneof(fc.nat(127), fc.nat(file.length - 1)), fc.nat(255));
      fc.assert(
        fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), fc.nat(file.length), (flips, length) => {
          const damaged = file.slice();
          for (const [at, value] of flips) damaged[at] = value;
          for (const bytes of [damaged, damaged.subarray(0, length)]) {
            try {
              readImages(bytes, "a");
            } catch (error) {
              expect(error, String((error as Error).stack)).toBeInstanceOf(CrcnnError);
            }
          }
        }),
        { numRuns: 150 },
      );
    },
  );
});

describe("normalize", () => {
  test("works by channel", () => {
    const image = { shape: [2, 1, 2], data: Float64Array.of(1, 2, 3, 4) };
    expect(normalize(image, [1, 2], [0.5, 4])).toEqual({ shape: [2, 1, 2], data: Float64Array.of(0, 2, 0.25, 0.5) });
  });

  test.each([
    [[0], [1, 1]],
    [[0, 0], [1]],
    [
      [0, 0],
      [1, 0],
    ],
    [
      [0, Number.NaN],
      [1, 1],
    ],
  ])("mean %j and std %j are refused", (mean, std) => {
    const image = { shape: [2, 1, 1], data: Float64Array.of(1, 2) };
    expect(() => normalize(image, mean, std)).toThrow(RangeError);
  });

  test("an image without a channel axis is refused", () => {
    expect(() => normalize({ shape: [4], data: new Float64Array(4) }, [0], [1])).toThrow(RangeError);
  });
});
