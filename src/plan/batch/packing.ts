/** Between images and the slot vectors of a batch: element e of image i is slot i of vector e. */

import { checkInput } from "../packing.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type { BatchSegment } from "./manifest.ts";

/**
 * The slot vectors of a batch, one an input element. Slots without an image are 0.
 *
 * @throws TypeError or RangeError for no or too many images; what `packInput` throws for one that does not fit.
 */
export function packBatch(
  { inputShape, range }: Pick<BatchSegment, "inputShape"> & Partial<Pick<BatchSegment, "range">>,
  slots: number,
  images: readonly Tensor[],
): Float64Array[] {
  if (!Array.isArray(images)) throw new TypeError("images must be a list of tensors { shape, data }");
  if (images.length === 0 || images.length > slots) {
    throw new RangeError(
      `images must hold 1 to ${slots} tensors, one a slot, got ${images.length}; run several batches`,
    );
  }
  for (const image of images) checkInput({ shape: inputShape, ...(range ? { range } : {}) }, image);
  return Array.from({ length: sizeOf(inputShape) }, (_, element) => {
    const vector = new Float64Array(slots);
    for (const [i, { data }] of images.entries()) vector[i] = data[element];
    return vector;
  });
}

/** The first `count` images' outputs. */
export function unpackBatch(
  { outputShape }: Pick<BatchSegment, "outputShape">,
  vectors: readonly Float64Array[],
  count: number,
): Tensor[] {
  return Array.from({ length: count }, (_, i) => ({
    shape: outputShape,
    data: Float64Array.from(vectors, (vector) => vector[i]),
  }));
}
