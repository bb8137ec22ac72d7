/** Image files into tensors for a network. */

import { coveringRange, type SourceModel, traceShapes } from "../builder/index.ts";
import { type Images, type ImageTensor, normalize, readImages } from "../data/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Shape, sameShape, type Tensor } from "../plan/index.ts";
import { parseInteger, parseNumbers } from "./arguments.ts";
import { UsageError } from "./failure.ts";
import { readNamed } from "./files.ts";
import { inputShapeFor } from "./input-shape.ts";

/** Options of all commands that read images, for citty. */
export const imageOptions = {
  first: { type: "string", valueHint: "N", description: "Only the first N images" },
  mean: {
    type: "string",
    valueHint: "NUMBERS",
    description: "Subtracted from each channel, as 0.1307 or 0.48,0.45,0.4",
  },
  std: { type: "string", valueHint: "NUMBERS", description: "Each channel is divided by it, after --mean" },
  json: { type: "boolean", description: "One line of JSON an image on standard output, nothing else" },
} as const;

export interface ImageArguments {
  readonly first?: string | undefined;
  readonly mean?: string | undefined;
  readonly std?: string | undefined;
}

export interface NamedImage {
  /** The file as it was named, with the image's number where the file holds several: `digits.npy[3]`. */
  readonly name: string;
  readonly tensor: Tensor;
}

export interface ImageSet {
  /** At least one; all of one shape. */
  readonly images: readonly NamedImage[];
  readonly shape: Shape;
  /** Smallest and largest value that such images may have. It says of what kind they are, not what is on them. */
  readonly inputRange: readonly [low: number, high: number];
}

/**
 * Reads images.
 *
 * @param model The network that they are for, where it is at hand: it settles what a file leaves open, and refuses what does not fit.
 * @throws UsageError, CrcnnError INVALID_FILE, UNSUPPORTED_FILE, LIMIT_EXCEEDED or SHAPE_MISMATCH, and what the file system says.
 */
export async function readImageFiles(
  files: readonly string[],
  options: ImageArguments,
  model?: SourceModel,
): Promise<ImageSet> {
  const first =
    options.first === undefined ? undefined : parseInteger("first", options.first, 1, Number.MAX_SAFE_INTEGER);
  const mean = options.mean === undefined ? undefined : parseNumbers("mean", options.mean);
  const std = options.std === undefined ? undefined : parseNumbers("std", options.std);
  const raw: NamedImage[] = [];
  for (const file of files) {
    const { images } = readFitting(await readNamed(file), file, model);
    for (const [i, tensor] of images.entries()) raw.push({ name: images.length > 1 ? `${file}[${i}]` : file, tensor });
  }
  const chosen = raw.slice(0, first);
  const shape = chosen[0]?.tensor.shape ?? [];
  for (const image of chosen) checkImage(image, shape);
  if (model) traceShapes(model, shape);
  const scaling = scalingOf(shape, mean, std);
  const images = scaling ? chosen.map((image) => scaled(image, scaling)) : chosen;
  return { images, shape, inputRange: rangeOf(chosen, images, scaling) };
}

function readFitting(bytes: Uint8Array, name: string, model: SourceModel | undefined): Images {
  const plain = readImages(bytes, name);
  const found = plain.images[0]?.shape ?? [];
  const wanted = model && inputShapeFor(model, found);
  return wanted && !sameShape(wanted, found) ? readImages(bytes, name, wanted) : plain;
}

function checkImage({ name, tensor }: NamedImage, shape: Shape): void {
  if (!sameShape(tensor.shape, shape)) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `${name}: it has the shape ${formatShape(tensor.shape)}, the images before it ${formatShape(shape)}; run them separately`,
    );
  }
  const at = tensor.data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw new CrcnnError("INVALID_FILE", `${name}: value ${at} is ${tensor.data[at]}; images hold finite numbers`);
}

interface Scaling {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What was not given does nothing. */
function scalingOf(
  shape: Shape,
  mean: readonly number[] | undefined,
  std: readonly number[] | undefined,
): Scaling | undefined {
  if (!mean && !std) return undefined;
  const [channels = 0] = shape;
  if (shape.length !== 3)
    throw new UsageError(`--mean and --std are for images with channels, these have the shape ${formatShape(shape)}`);
  for (const [option, values] of Object.entries({ mean, std })) {
    if (values && values.length !== channels) {
      throw new UsageError(
        `--${option} takes one number a channel: the images have ${channels}, it has ${values.length}`,
      );
    }
  }
  if (std?.includes(0)) throw new UsageError("--std must not be 0");
  return { mean: mean ?? new Array(channels).fill(0), std: std ?? new Array(channels).fill(1) };
}

function scaled({ name, tensor }: NamedImage, { mean, std }: Scaling): NamedImage {
  return { name, tensor: normalize(tensor as ImageTensor, mean, std) };
}

/** From [0, 1] and the scaling where pixels are in [0, 1]; else from the values, rounded outwards to powers of two. */
function rangeOf(
  raw: readonly NamedImage[],
  images: readonly NamedImage[],
  scaling: Scaling | undefined,
): readonly [number, number] {
  const [low, high] = extremes(raw);
  if (low >= 0 && high <= 1) {
    if (!scaling) return [0, 1];
    const ends = scaling.mean.flatMap((mean, channel) =>
      [0, 1].map((value) => (value - mean) / (scaling.std[channel] ?? 1)),
    );
    return [Math.min(...ends), Math.max(...ends)];
  }
  return coveringRange(extremes(images));
}

function extremes(images: readonly NamedImage[]): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { tensor } of images) {
    for (const value of tensor.data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}
