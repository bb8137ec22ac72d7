/** Operators that slide a window, as the standard describes them. */

import { type Apply, type Attributes, at, build, indices } from "./arrays.ts";

/** What is added before and after each spatial axis. */
export function padsOf(
  attributes: Attributes,
  kernel: readonly number[],
  lengths: readonly number[],
): { before: number[]; after: number[] } {
  const rank = kernel.length;
  const mode = attributes.text("auto_pad", "NOTSET");
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const pads = attributes.ints("pads") ?? [...kernel, ...kernel].map(() => 0);
  if (mode === "NOTSET") return { before: pads.slice(0, rank), after: pads.slice(rank) };
  if (mode === "VALID") return { before: kernel.map(() => 0), after: kernel.map(() => 0) };
  const total = kernel.map((taps, i) => {
    const output = Math.ceil(lengths[i]! / strides[i]!);
    return Math.max(0, (output - 1) * strides[i]! + (taps - 1) * dilations[i]! + 1 - lengths[i]!);
  });
  const small = total.map((pad) => Math.floor(pad / 2));
  const large = total.map((pad) => Math.ceil(pad / 2));
  return mode === "SAME_UPPER" ? { before: small, after: large } : { before: large, after: small };
}

export const conv: Apply = ([x, w, b], attributes) => {
  const kernel = w!.shape.slice(2);
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const { before, after } = padsOf(attributes, kernel, lengths);
  const group = attributes.int("group", 1);
  const output = kernel.map((taps, i) =>
    Math.floor((lengths[i]! + before[i]! + after[i]! - (taps - 1) * dilations[i]! - 1) / strides[i]! + 1),
  );
  const perGroup = w!.shape[0]! / group;
  return build([x!.shape[0]!, w!.shape[0]!, ...output], ([n, m, ...place]) => {
    let sum = b ? b.data[m!]! : 0;
    for (const [c, ...tap] of indices(w!.shape.slice(1))) {
      const channel = Math.floor(m! / perGroup) * w!.shape[1]! + c!;
      const from = place.map((o, i) => o * strides[i]! + tap[i]! * dilations[i]! - before[i]!);
      sum += at(w!, [m!, c!, ...tap]) * at(x!, [n!, channel, ...from]);
    }
    return sum;
  });
};

export const convTranspose: Apply = ([x, w, b], attributes) => {
  const kernel = w!.shape.slice(2);
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilations = attributes.ints("dilations") ?? kernel.map(() => 1);
  const extra = attributes.ints("output_padding") ?? kernel.map(() => 0);
  const group = attributes.int("group", 1);
  const mode = attributes.text("auto_pad", "NOTSET");
  const pads = attributes.ints("pads") ?? [...kernel, ...kernel].map(() => 0);
  let before = pads.slice(0, kernel.length);
  let after = pads.slice(kernel.length);
  const spread = kernel.map((taps, i) => strides[i]! * (lengths[i]! - 1) + extra[i]! + (taps - 1) * dilations[i]! + 1);
  const wanted =
    attributes.ints("output_shape") ??
    (mode.startsWith("SAME") ? lengths.map((length, i) => length * strides[i]!) : undefined);
  if (wanted) {
    const total = spread.map((length, i) => length - wanted[i]!);
    const half = total.map((pad) => Math.floor(pad / 2));
    const rest = total.map((pad, i) => pad - half[i]!);
    [before, after] = mode === "SAME_UPPER" ? [half, rest] : [rest, half];
  }
  const outGroup = w!.shape[1]!;
  const inGroup = x!.shape[1]! / group;
  const shape = [x!.shape[0]!, outGroup * group, ...spread.map((length, i) => length - before[i]! - after[i]!)];
  const y = build(shape, ([, m]) => (b ? b.data[m!]! : 0));
  const data = [...y.data];
  for (const [n, c, ...place] of indices(x!.shape)) {
    for (const [m, ...tap] of indices(w!.shape.slice(1))) {
      const to = place.map((i, axis) => i * strides[axis]! + tap[axis]! * dilations[axis]! - before[axis]!);
      if (to.some((value, axis) => value < 0 || value >= shape[axis + 2]!)) continue;
      const channel = Math.floor(c! / inGroup) * outGroup + m!;
      const position = [n!, channel, ...to].reduce((sum, value, axis) => sum * shape[axis]! + value, 0);
      data[position]! += at(x!, [n!, c!, ...place]) * at(w!, [c!, m!, ...tap]);
    }
  }
  return { shape, data };
};

export const averagePool: Apply = ([x], attributes) => {
  const kernel = attributes.ints("kernel_shape")!;
  const lengths = x!.shape.slice(2);
  const strides = attributes.ints("strides") ?? kernel.map(() => 1);
  const { before, after } = padsOf(attributes, kernel, lengths);
  const counted = attributes.int("count_include_pad", 0) === 1;
  const ceil = attributes.int("ceil_mode", 0) === 1;
  const output = kernel.map((taps, i) => {
    const steps = (lengths[i]! + before[i]! + after[i]! - taps) / strides[i]!;
    const count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that begins behind the input and its padding in front is left out.
    return ceil && (count - 1) * strides[i]! >= lengths[i]! + before[i]! ? count - 1 : count;
  });
  return build([...x!.shape.slice(0, 2), ...output], ([n, c, ...place]) => {
    let [sum, count] = [0, 0];
    for (const tap of indices(kernel)) {
      const from = place.map((o, i) => o * strides[i]! + tap[i]! - before[i]!);
      const inside = from.every((value, i) => value >= 0 && value < lengths[i]!);
      const padded = from.every((value, i) => value >= -before[i]! && value < lengths[i]! + after[i]!);
      if (inside || (counted && padded)) count++;
      sum += at(x!, [n!, c!, ...from]);
    }
    return sum / count;
  });
};
