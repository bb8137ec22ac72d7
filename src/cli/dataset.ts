/** The image that the parameter tester runs on: from a file, or from a data set that lies in a folder under its usual names. */

import { access } from "node:fs/promises";
import { join } from "node:path";
import type { InputRange, SourceModel } from "../builder/index.ts";
import { readCifar10 } from "../data/index.ts";
import type { Tensor } from "../plan/index.ts";
import { UsageError } from "./failure.ts";
import { readNamed } from "./files.ts";
import { readImageFiles } from "./images.ts";

const IDX_NAMES = ["t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"];
const CIFAR_NAMES = ["test_batch.bin"];
/** Where torchvision and the data sets' own pages put their test images, below the folder named. */
const DATA_SETS: Readonly<Record<string, { readonly folders: readonly string[]; readonly files: readonly string[] }>> =
  {
    MNIST: { folders: ["MNIST/raw", "MNIST", ""], files: IDX_NAMES },
    FashionMNIST: { folders: ["FashionMNIST/raw", "FashionMNIST", ""], files: IDX_NAMES },
    CIFAR10: { folders: ["cifar-10-batches-bin", "CIFAR10/cifar-10-batches-bin", "CIFAR10", ""], files: CIFAR_NAMES },
  };

/** Options of commands that read one image, for citty. */
export const datasetOptions = {
  data: {
    type: "string",
    valueHint: "DIR",
    description: "Where MNIST, FashionMNIST or CIFAR10 are looked for; nothing is downloaded",
  },
  index: {
    type: "string",
    valueHint: "N",
    description: "Which image of the file, counted from 0; the first by default",
  },
} as const;

export interface TestImage {
  readonly tensor: Tensor;
  readonly inputRange: InputRange;
}

/**
 * Reads one image.
 *
 * @param dataset A file, or with a folder the name of a data set in it. Nothing is downloaded.
 * @param model What the image is for, where it is at hand.
 * @throws UsageError for a name without a folder or without files in it, and for an image that the file does not have; what the readers throw.
 */
export async function readTestImage(
  dataset: string,
  folder: string | undefined,
  index: number,
  model?: SourceModel,
): Promise<TestImage> {
  const file = (await exists(dataset)) ? dataset : await findDataset(dataset, folder);
  if (CIFAR_NAMES.some((name) => file.endsWith(name))) return readCifarImage(file, index);
  const { images, inputRange } = await readImageFiles([file], { first: `${index + 1}` }, model);
  const image = images[index];
  if (!image) throw new UsageError(`--index: ${file} has ${images.length} images, counted from 0, got ${index}`);
  return { tensor: image.tensor, inputRange };
}

async function readCifarImage(file: string, index: number): Promise<TestImage> {
  const bytes = await readNamed(file);
  try {
    return { tensor: readCifar10(bytes, file, index), inputRange: [0, 1] };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--index: ${error.message}`);
    throw error;
  }
}

async function findDataset(name: string, folder: string | undefined): Promise<string> {
  const known = DATA_SETS[name];
  const names = Object.keys(DATA_SETS).join(", ");
  if (!known) {
    throw new UsageError(`dataset: there is no file ${JSON.stringify(name)}; with --data it may be a name: ${names}`);
  }
  if (folder === undefined) {
    throw new UsageError(`dataset: ${name} is looked for in a folder, which --data names; nothing is downloaded`);
  }
  for (const place of known.folders) {
    for (const file of known.files) {
      const path = join(folder, place, file);
      if (await exists(path)) return path;
    }
  }
  throw new UsageError(`dataset: ${folder} has no ${known.files.join(" or ")} of ${name}; nothing is downloaded`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
