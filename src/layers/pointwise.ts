/** What functions of single elements that no ciphertext can be put through have in common. */

import { type Layer, sizeOf } from "../plan/index.ts";
import { exactOnly } from "./exact-only.ts";

/** The layer y = f(x) for each element, on any shape. It runs in the clear; see {@link exactOnly}. */
export function pointwiseLayer(
  kind: string,
  f: (x: number) => number,
  options: Readonly<Record<string, unknown>> = {},
): Layer {
  return exactOnly("element", {
    kind,
    options,
    outputShape: (inputShape) => [...inputShape],
    products: sizeOf,
    forward: (x) => x.map((value) => f(value)),
  });
}
