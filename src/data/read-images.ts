/** Images from a file's bytes, recognised by content. */

import { CrcnnError } from "../errors/index.ts";
import { describeForeign } from "./foreign.ts";
import { isIdx, readIdx } from "./idx.ts";
import { type ImageTensor, MAX_VALUES } from "./image-tensor.ts";
import { gunzip } from "./inflate.ts";
import { isNpy, readNpy } from "./npy.ts";
import { isPng, readPng } from "./png.ts";

export type ImageFormat = "png" | "npy" | "idx";

/** The images of one file, all of one shape. */
export interface Images {
  readonly images: readonly ImageTensor[];
  readonly format: ImageFormat;
}

/** Most bytes that a gzip file may inflate to: the widest elements, and room for a header. */
export const MAX_INFLATED_BYTES: number = 8 * MAX_VALUES + 2 ** 17;

/**
 * Reads the images of a PNG, `.npy` or IDX file, any of them also gzipped. The content decides, never the name.
 *
 * - PNG: one image in [0, 1], see `readPng` for depth, palette and alpha.
 * - IDX: unsigned bytes are divided by 255, other types taken as they are. 2 axes are one image, 3 axes are many images of one
 *   channel, 4 axes many of several.
 * - `.npy`: values are taken as they are, integers too. 1 axis is a vector of features, 2 axes are one image of one channel,
 *   3 axes are one image `[channels, height, width]`, 4 axes a batch of them.
 *
 * `expectedShape`, the input of a network without a batch axis, settles what the number of axes leaves open: an array of that shape
 * is one image, one with an axis more is a batch, and a missing axis for one channel is put in. A colour PNG whose
 * channels are equal everywhere fits one channel.
 *
 * @param name the file's name, for messages.
 * @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE, LIMIT_EXCEEDED, or SHAPE_MISMATCH where `expectedShape` is given and not met.
 */
export function readImages(bytes: Uint8Array, name: string, expectedShape?: readonly number[]): Images {
  if (!(bytes instanceof Uint8Array))
    throw new TypeError("bytes must be a Uint8Array: the content of a file, not its name");
  try {
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzip(bytes, MAX_INFLATED_BYTES) : bytes;
    const { format, array } = readArray(plain);
    return { format, images: expectedShape ? arrange(array, expectedShape, format) : split(array, format) };
  } catch (error) {
    if (!(error instanceof CrcnnError)) throw error;
    throw new CrcnnError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

function readArray(bytes: Uint8Array): { format: ImageFormat; array: ImageTensor } {
  if (isPng(bytes)) return { format: "png", array: readPng(bytes) };
  if (isNpy(bytes)) return { format: "npy", array: readNpy(bytes) };
  if (isIdx(bytes)) {
    const { shape, data, unsignedBytes } = readIdx(bytes);
    if (shape.length === 1) {
      throw new CrcnnError("UNSUPPORTED_FILE", `it is an IDX file of ${shape[0]} labels: name the file of the images`);
    }
    return { format: "idx", array: { shape, data: unsignedBytes ? data.map((value) => value / 255) : data } };
  }
  const foreign = describeForeign(bytes);
  if (foreign === undefined) {
    throw new CrcnnError("INVALID_FILE", "it is no image file that is known here: PNG, .npy and IDX are read");
  }
  const code = bytes.length === 0 ? "INVALID_FILE" : "UNSUPPORTED_FILE";
  throw new CrcnnError(code, `it is ${foreign.what}; PNG, .npy and IDX are read: ${foreign.remedy}`);
}

/** The images of an array by its number of axes alone. */
function split(array: ImageTensor, format: ImageFormat): ImageTensor[] {
  const { shape } = array;
  switch (shape.length) {
    case 1:
      return [array];
    case 2:
      return [reshaped(array, [1, ...shape])];
    case 3:
      return format === "idx" ? cut(array, [1, ...shape.slice(1)]) : [array];
    case 4:
      return cut(array, shape.slice(1));
    default:
      throw new CrcnnError("UNSUPPORTED_FILE", `its array has ${shape.length} axes; images have 1 to 4`);
  }
}

/** The images of an array as a network of this input shape takes them. */
function arrange(array: ImageTensor, expected: readonly number[], format: ImageFormat): ImageTensor[] {
  const image = format === "png" && expected[0] === 1 ? withoutEqualChannels(array) : array;
  const bare = expected.length === 3 && expected[0] === 1 ? expected.slice(1) : expected;
  for (const shape of [expected, bare]) {
    if (same(image.shape, shape)) return [reshaped(image, expected)];
    if (format !== "png" && same(image.shape.slice(1), shape)) return cut(image, expected);
  }
  throw new CrcnnError(
    "SHAPE_MISMATCH",
    `it holds ${array.shape.join("x")} values and the network takes images of ${expected.join("x")}`,
  );
}

function withoutEqualChannels(image: ImageTensor): ImageTensor {
  const [channels = 1, height = 1, width = 1] = image.shape;
  const pixels = height * width;
  for (let i = pixels; i < channels * pixels; i++) if (image.data[i] !== image.data[i % pixels]) return image;
  return { shape: [1, height, width], data: image.data.slice(0, pixels) };
}

function reshaped(array: ImageTensor, shape: readonly number[]): ImageTensor {
  return { shape: [...shape], data: array.data };
}

/** Cuts an array into images of this shape, each with memory of its own. */
function cut(array: ImageTensor, shape: readonly number[]): ImageTensor[] {
  const size = shape.reduce((product, length) => product * length, 1);
  return Array.from({ length: array.data.length / size }, (_, i) => ({
    shape: [...shape],
    data: array.data.slice(i * size, (i + 1) * size),
  }));
}

function same(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}
