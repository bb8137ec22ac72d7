/** Between tensors and slot vectors: what the client does before it encrypts and after it has decrypted. */

import { CrcnnError } from "../errors/index.ts";
import { type InputPacking, packSlots, unpackSlots } from "./layout.ts";
import type { OutputPacking } from "./plan.ts";
import { formatShape, sameShape, type Tensor } from "./tensor.ts";

/**
 * The slot vectors of an input, one a ciphertext.
 *
 * @throws CrcnnError SHAPE_MISMATCH when the tensor has another shape than the packing was made for.
 */
export function packInput(packing: InputPacking, input: Tensor): Float64Array[] {
  if (!sameShape(packing.shape, input.shape)) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `the network takes an input of shape ${formatShape(packing.shape)}, got ${formatShape(input.shape)}; resize or crop the image, or ` +
        "compile the network for its shape",
    );
  }
  return packSlots(packing, input.data);
}

/** The tensor that the result's slot vectors hold. */
export function unpackOutput(packing: OutputPacking, slots: number, vectors: readonly Float64Array[]): Tensor {
  const values = unpackSlots({ position: packing.position, slots }, vectors);
  return { shape: packing.shape, data: values.map((value) => value / packing.factor) };
}
