/** Models for tests: single operators, random constants, and how windows slide. */

import fc from "fast-check";
import { randomValues } from "../../layers/support.ts";
import { type AttributeSpec, constant, type ModelSpec, node, type TensorSpec } from "./writer.ts";

export const seeds = fc.nat(2 ** 31);
export const size = fc.integer({ min: 1, max: 4 });
export const batches: fc.Arbitrary<number | string> = fc.constantFrom("N", 1, 2);
export const pad = fc.integer({ min: 0, max: 2 });
export const autoPad = fc.constantFrom("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER");

export function random(seed: number, dims: readonly number[]): TensorSpec {
  return constant(dims, [
    ...randomValues(
      seed,
      dims.reduce((product, length) => product * length, 1),
    ),
  ]);
}

export const ints = (...values: number[]): AttributeSpec => ({ ints: values });

/** One operator between input and output. */
export function single(
  op: string,
  input: ModelSpec["input"],
  constants: Readonly<Record<string, TensorSpec>> = {},
  attributes: Readonly<Record<string, AttributeSpec>> = {},
  opset = 13,
): ModelSpec {
  return { opset, input, constants, nodes: [node(op, ["x", ...Object.keys(constants)], "y", attributes)] };
}

export interface WindowCase {
  readonly rank: 1 | 2;
  readonly seed: number;
  readonly batch: number | string;
  readonly lengths: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly mode: string;
}

export const windows: fc.Arbitrary<WindowCase> = fc.constantFrom(1 as const, 2 as const).chain((rank) => {
  const each = (value: fc.Arbitrary<number>, times = 1): fc.Arbitrary<number[]> =>
    fc.array(value, { minLength: rank * times, maxLength: rank * times });
  return fc.record({
    rank: fc.constant(rank),
    seed: seeds,
    batch: batches,
    lengths: each(fc.integer({ min: 3, max: 7 })),
    kernel: each(fc.integer({ min: 1, max: 3 })),
    strides: each(fc.integer({ min: 1, max: 3 })),
    dilations: each(fc.integer({ min: 1, max: 2 })),
    pads: each(pad, 2),
    mode: autoPad,
  });
});

/** Windows must fit into the padded input. */
export const fits = ({ lengths, kernel, dilations, pads, mode, rank }: WindowCase): boolean =>
  lengths.every((length, i) => {
    const padding = mode === "NOTSET" ? pads[i]! + pads[rank + i]! : 0;
    return mode.startsWith("SAME") || (kernel[i]! - 1) * dilations[i]! + 1 <= length + padding;
  });

export const windowAttributes = ({
  strides,
  dilations,
  pads,
  mode,
  kernel,
}: WindowCase): Record<string, AttributeSpec> => ({
  strides: ints(...strides),
  dilations: ints(...dilations),
  kernel_shape: ints(...kernel),
  ...(mode === "NOTSET" ? { pads: ints(...pads) } : { auto_pad: { s: mode } }),
});
