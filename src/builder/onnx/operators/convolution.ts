/** Conv and ConvTranspose. */

import { conv1dLayer, conv2dLayer, convTranspose2dLayer } from "../../../layers/index.ts";
import { sizeOf, type Tensor } from "../../../plan/index.ts";
import { invalid, type Operation, unsupported } from "../operation.ts";
import type { Activation } from "../values.ts";
import {
  imageWindow,
  isSymmetric,
  onImage,
  type Pair,
  padImage,
  perAxis,
  readWindow,
  spatialAxes,
  splitPadding,
} from "./spatial.ts";

export function conv(operation: Operation): Activation {
  const x = operation.activation(0);
  const { weight, bias, kernel, groups } = parametersOf(operation, x);
  const window = readWindow(operation, kernel, x.shape.slice(1));
  const unit = window.strides.every((stride) => stride === 1);
  const same = window.autoPad === "SAME_UPPER" && unit;
  if (same || isSymmetric(window)) {
    const options = { weight, bias, groups };
    if (kernel.length === 1) {
      const [stride, dilation, zeros] = [window.strides[0], window.dilations[0], window.before[0]];
      return operation.emit(() => conv1dLayer({ ...options, stride, dilation, padding: same ? "same" : zeros }), x);
    }
    const [stride, dilation, zeros] = [window.strides, window.dilations, window.before] as unknown as Pair[];
    return operation.emit(() => conv2dLayer({ ...options, stride, dilation, padding: same ? "same" : zeros }), x);
  }
  const wide = imageWindow(window);
  return onImage(operation, x, (image) =>
    operation.emit(
      () =>
        conv2dLayer({
          weight: imageWeight(weight),
          bias,
          groups,
          stride: wide.strides as Pair,
          dilation: wide.dilations as Pair,
        }),
      padImage(operation, image, wide),
    ),
  );
}

/** The whole of what every input spreads to, then what is cut off: so both sides may differ. */
export function convTranspose(operation: Operation): Activation {
  const x = operation.activation(0);
  const { weight, bias, kernel, groups } = parametersOf(operation, x);
  const lengths = x.shape.slice(1);
  const window = readWindow(operation, kernel, lengths);
  const outputPadding = outputPaddingOf(operation, kernel.length);
  const cut = cutOff(operation, window, lengths, outputPadding);
  const wide = imageWindow({ ...window, ...cut });
  const symmetric = isSymmetric(wide) && wide.before.every((pad) => pad >= 0);
  return onImage(operation, x, (image) => {
    const whole = operation.emit(
      () =>
        convTranspose2dLayer({
          weight: imageWeight(weight),
          bias,
          groups,
          stride: wide.strides as Pair,
          dilation: wide.dilations as Pair,
          padding: symmetric ? (wide.before as Pair) : 0,
          outputPadding: [0, ...outputPadding].slice(-2) as unknown as Pair,
        }),
      image,
    );
    if (symmetric) return whole;
    const sides = { before: wide.before.map((pad) => -pad), after: wide.after.map((pad) => -pad) };
    return padImage(operation, whole, sides);
  });
}

/** Rows and columns that are cut off from all that the inputs spread to. */
function cutOff(
  operation: Operation,
  { kernel, strides, dilations, before, after, autoPad }: ReturnType<typeof readWindow>,
  lengths: readonly number[],
  outputPadding: readonly number[],
): { before: readonly number[]; after: readonly number[] } {
  const stated = operation.attributes.integers("output_shape");
  const same = autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER";
  if (stated === undefined && !same) return { before, after };
  const wanted =
    stated === undefined ? lengths.map((length, axis) => length * strides[axis]) : stated.slice(-lengths.length);
  if (wanted.length !== lengths.length || !wanted.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw invalid(
      operation,
      `has output_shape [${(stated ?? []).join(", ")}], expected ${lengths.length} positive sizes`,
    );
  }
  const totals = wanted.map((size, axis) => {
    const span = dilations[axis] * (kernel[axis] - 1) + 1;
    return strides[axis] * (lengths[axis] - 1) + outputPadding[axis] + span - size;
  });
  if (totals.some((total) => total < 0)) {
    throw unsupported(
      operation,
      "makes more outputs than its inputs spread to: export it with output_padding and pads",
    );
  }
  // The standard's formula gives the odd one to the beginning unless SAME_UPPER is asked for.
  return splitPadding(totals, autoPad === "SAME_UPPER" ? "SAME_UPPER" : "SAME_LOWER");
}

function outputPaddingOf(operation: Operation, axes: number): readonly number[] {
  const values = operation.attributes.integers("output_padding") ?? new Array<number>(axes).fill(0);
  if (values.length === axes) return values;
  throw invalid(operation, `has output_padding [${values.join(", ")}], expected ${axes} integers`);
}

interface Parameters {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly kernel: readonly number[];
  readonly groups: number;
}

function parametersOf(operation: Operation, x: Activation): Parameters {
  const axes = spatialAxes(operation, x);
  const weight = operation.weight(1, "weight");
  const kernel = weight.shape.slice(2);
  if (weight.shape.length !== axes + 2 || sizeOf(weight.shape) === 0) {
    throw invalid(
      operation,
      `has a weight of shape ${weight.shape.join("x")}, expected ${axes + 2} axes for an input of ${axes + 2}`,
    );
  }
  const stated = perAxis(operation, "kernel_shape", axes, kernel);
  if (stated.some((size, axis) => size !== kernel[axis])) {
    throw invalid(operation, `has kernel_shape [${stated.join(", ")}], its weight is ${weight.shape.join("x")}`);
  }
  return { weight, bias: operation.floats(2, "bias"), kernel, groups: operation.attributes.integer("group", 1) };
}

/** A kernel along a sequence as one of height 1. */
function imageWeight({ shape, data }: Tensor): Tensor {
  const [first, second, ...kernel] = shape;
  return { shape: kernel.length === 1 ? [first, second, 1, ...kernel] : shape, data };
}
