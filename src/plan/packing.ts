/** Between tensors and slot vectors: what the client does before it encrypts and after it has decrypted. */

import { CrcnnError } from "../errors/index.ts";
import { type InputPacking, packSlots, unpackSlots } from "./layout.ts";
import type { OutputPacking } from "./plan.ts";
import { formatShape, sameShape, sizeOf, type Tensor } from "./tensor.ts";

/** Room for rounding at the ends of a packing's range, as a part of its width. */
const RANGE_TOLERANCE = 0.01;

/**
 * The slot vectors of an input, one a ciphertext.
 *
 * Values outside the packing's range are refused: a message that wraps around the modulus can decrypt to a plausible one, because a real
 * message keeps the symmetry of its coefficients when it wraps, so nothing in the result would show it.
 *
 * @throws TypeError for what is no tensor; RangeError when shape and data do not fit; CrcnnError SHAPE_MISMATCH when the tensor has another
 * shape than the packing was made for, PRECISION_LOST for a value outside its range.
 */
export function packInput(packing: InputPacking, input: Tensor): Float64Array[] {
  checkInput(packing, input);
  return packSlots(packing, input.data);
}

/** The checks of {@link packInput}. */
export function checkInput(packing: Pick<InputPacking, "shape" | "range">, input: Tensor): void {
  if (!Array.isArray(input?.shape) || typeof input.data?.length !== "number")
    throw new TypeError("input must be a tensor { shape, data }; tensor(shape, data) makes one");
  if (!sameShape(packing.shape, input.shape)) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `the network takes an input of shape ${formatShape(packing.shape)}, got ${formatShape(input.shape)}; resize or crop the image, or ` +
        "compile the network for its shape",
    );
  }
  if (input.data.length !== sizeOf(input.shape)) {
    throw new RangeError(
      `input of shape ${formatShape(input.shape)} needs ${sizeOf(input.shape)} values, got ${input.data.length}`,
    );
  }
  if (packing.range) checkRange(input.data, packing.range);
}

function checkRange(values: Float64Array, [low, high]: readonly [number, number]): void {
  const room = RANGE_TOLERANCE * (high - low);
  const at = values.findIndex((value) => value < low - room || value > high + room);
  if (at < 0) return;
  throw new CrcnnError(
    "PRECISION_LOST",
    `the input's element ${at} is ${values[at]}, the plan was made for values from ${low} to ${high}, so its result could not be trusted; ` +
      "scale the input, or compile with an inputRange that holds it",
  );
}

/** The tensor that the result's slot vectors hold. */
export function unpackOutput(packing: OutputPacking, slots: number, vectors: readonly Float64Array[]): Tensor {
  const values = unpackSlots({ position: packing.position, slots }, vectors);
  return { shape: packing.shape, data: values.map((value) => value / packing.factor) };
}
