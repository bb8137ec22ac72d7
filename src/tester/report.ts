/** What a tried set came to, as the tester prints it. */

import type { Tensor } from "../plan/index.ts";

/** One row for the encrypted input, and one for each layer. */
export interface LayerRow {
  /** `start`, or number and kind as `0 Conv2d`. */
  readonly layer_name: string;
  /** Least noise budget in bits; under CKKS bits of precision, -log2 of the largest error. 0 where the values are lost. */
  readonly min_noise: number;
  /** Without it, and without what goes with it, the values are lost. */
  readonly max_error?: number;
  readonly max_error_position?: readonly number[];
  /** The decrypted value at that position, and the one of the model in the clear. */
  readonly cipher_value?: number;
  readonly plain_value?: number;
  /** What the layer took; of the input, its encryption. */
  readonly milliseconds: number;
}

/** The result of one set. Either all of the errors are there, or `error` says why there are none, and what would work. */
export interface SetReport {
  /** As the configuration has it. */
  readonly set: Readonly<Record<string, unknown>>;
  /** What was chosen for it. */
  readonly parameters?: {
    readonly scheme: "bfv" | "ckks";
    readonly ringDegree: number;
    readonly dataPrimes: readonly number[];
    readonly specialPrimes: readonly number[];
    readonly plainModulus?: number;
  };
  readonly final_max_error?: number;
  readonly final_max_error_position?: readonly number[];
  readonly average_error?: number;
  /** Whether the largest output is the same one as in the clear. */
  readonly argmax_agrees?: boolean;
  /** From encryption to decryption of the network without looking at its layers. */
  readonly milliseconds?: number;
  readonly layers?: readonly LayerRow[];
  readonly error?: { readonly code: string; readonly message: string };
  /** True where a noise budget reached 0: there is no answer then. */
  readonly budget_exhausted?: boolean;
}

export interface Comparison {
  readonly max_error: number;
  readonly max_error_position: readonly number[];
  readonly cipher_value: number;
  readonly plain_value: number;
  readonly average_error: number;
}

/** Holds decrypted values against those in the clear. */
export function compareTensors(found: Tensor, wanted: Tensor): Comparison {
  let [worst, largest, sum] = [0, -1, 0];
  for (const [i, value] of found.data.entries()) {
    const error = Math.abs(value - wanted.data[i]);
    sum += error;
    if (error > largest) [worst, largest] = [i, error];
  }
  return {
    max_error: largest,
    max_error_position: positionOf(worst, found.shape),
    cipher_value: found.data[worst],
    plain_value: wanted.data[worst],
    average_error: sum / found.data.length,
  };
}

/** The index along each axis of an element in row-major order. */
function positionOf(element: number, shape: readonly number[]): number[] {
  let rest = element;
  return [...shape]
    .reverse()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .reverse();
}
