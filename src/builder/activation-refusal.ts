/** Why a layer that is exact in the clear alone does not run encrypted by itself, and what there is to be done. */

import { CrcnnError } from "../errors/index.ts";
import type { Layer } from "../plan/index.ts";

const CLIENT = "leave it to the client, which decrypts and applies it (--activations client)";

/**
 * The `refusal` of a layer that is `exactOnly`. It is of no account where the key's owner applies the layer, or a polynomial takes its place.
 *
 * @param label `layer 3 (ReLU)`, with the position as the model's file has it.
 */
export function exactOnlyRefusal(label: string, { kind }: Layer): CrcnnError {
  const other =
    kind === "MaxPool2d"
      ? "train with AvgPool2d, a mean instead of a maximum"
      : "put a polynomial in its place (--activations polynomial --calibrate FILE)";
  return new CrcnnError("UNSUPPORTED_LAYER", `${label} does not run encrypted by itself: ${other}, or ${CLIENT}`);
}
