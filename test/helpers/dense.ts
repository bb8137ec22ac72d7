/** Linear layers with weights in [-1/2, 1/2) and biases in [-1, 1) from a sequence of numbers. */

import { linearLayer } from "../../src/layers/index.ts";
import type { Layer } from "../../src/plan/index.ts";

export function denseLayers(next: () => number): (outputs: number, inputs: number) => Layer {
  return (outputs, inputs) =>
    linearLayer({
      weight: { shape: [outputs, inputs], data: Array.from({ length: outputs * inputs }, () => next() / 2) },
      bias: { shape: [outputs], data: Array.from({ length: outputs }, () => next()) },
    });
}
