/** Pad, Slice and Split: what is put around the image's tensor, and what is cut out of it. */

import { avgPool2dLayer, zeroPad2dLayer } from "../../../layers/index.ts";
import { sizeOf } from "../../../plan/index.ts";
import { axisOf, imageAxes, invalid, mixesImages, type Operation, unsupported } from "../operation.ts";
import type { Activation } from "../values.ts";
import { padImage, reshaped } from "./spatial.ts";

/** Exporters write this, or more, for an end that is open. */
const MAX_INT32 = 2 ** 31 - 1;

export function pad(operation: Operation): Activation {
  const { attributes } = operation;
  const x = operation.activation(0);
  const rank = x.shape.length + 1;
  const pads = operation.numbers(1, "pads") ?? attributes.integers("pads");
  const axes =
    operation.numbers(3, "axes")?.map((axis) => axisOf(operation, axis, rank)) ??
    Array.from({ length: rank }, (_, axis) => axis);
  const mode = attributes.text("mode", "constant");
  const fallback = attributes.float("value", 0);
  if (pads?.length !== 2 * axes.length || !pads.every(Number.isSafeInteger)) {
    throw invalid(operation, `has pads [${(pads ?? []).join(", ")}], expected ${2 * axes.length} integers`);
  }
  const sides = axes.map((axis, i) => ({ axis, before: pads[i], after: pads[axes.length + i] }));
  const padded = sides.filter(({ before, after }) => before !== 0 || after !== 0);
  if (padded.length === 0) return x;
  if (padded.some(({ axis }) => axis === 0)) throw mixesImages(operation, "it pads axis 0");
  if (mode !== "constant") {
    throw unsupported(
      operation,
      `pads by mode "${mode}": only zeros run encrypted, mode "constant" (padding_mode="zeros")`,
    );
  }
  const value = operation.floats(2, "constant value")?.data[0] ?? fallback;
  if (value !== 0) throw unsupported(operation, `pads with ${value}: only zeros run encrypted`);
  if (x.shape.length === 3 && padded.every(({ axis }) => axis > 1)) {
    const of = (side: "before" | "after"): number[] =>
      [2, 3].map((axis) => padded.find((entry) => entry.axis === axis)?.[side] ?? 0);
    return padImage(operation, x, { before: of("before"), after: of("after") });
  }
  return padded.reduce(
    (tensor, { axis, before, after }) => alongAxis(operation, tensor, axis - 1, { before, after, step: 1 }),
    x,
  );
}

interface Cut {
  readonly before: number;
  readonly after: number;
  readonly step: number;
}

/** Pads or crops one axis, counted without the batch, and keeps every `step`-th element: with that axis as the height of an image. */
function alongAxis(operation: Operation, x: Activation, axis: number, { before, after, step }: Cut): Activation {
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const image = reshaped(operation, x, [outer, x.shape[axis], inner]);
  const cut = before === 0 && after === 0 ? image : operation.emit(() => zeroPad2dLayer([0, 0, before, after]), image);
  const kept = step === 1 ? cut : operation.emit(() => avgPool2dLayer({ kernelSize: 1, stride: [step, 1] }), cut);
  return reshaped(
    operation,
    kept,
    x.shape.map((size, at) => (at === axis ? kept.shape[1] : size)),
  );
}

export function slice(operation: Operation): Activation {
  const { attributes } = operation;
  const x = operation.activation(0);
  const starts = operation.numbers(1, "starts") ?? attributes.integers("starts") ?? [];
  const ends = operation.numbers(2, "ends") ?? attributes.integers("ends") ?? [];
  const given = operation.numbers(3, "axes") ?? attributes.integers("axes") ?? starts.map((_, axis) => axis);
  const steps = operation.numbers(4, "steps") ?? starts.map(() => 1);
  if ([ends, given, steps].some((list) => list.length !== starts.length)) {
    throw invalid(operation, "has lists of starts, ends, axes and steps that differ in length");
  }
  return given.reduce((tensor, along, i) => {
    // All images of the batch.
    if (along === 0 && starts[i] === 0 && ends[i] >= MAX_INT32 && steps[i] === 1) return tensor;
    const [axis] = imageAxes(operation, [along], tensor);
    const size = tensor.shape[axis];
    const [from, to] = [starts[i], ends[i]].map((at) => Math.min(size, Math.max(0, at < 0 ? at + size : at)));
    if (!(steps[i] >= 1) || from >= to) {
      throw unsupported(
        operation,
        `cuts ${from} to ${to} by ${steps[i]} out of ${size}: only parts in their order run`,
      );
    }
    if (from === 0 && to === size && steps[i] === 1) return tensor;
    return alongAxis(operation, tensor, axis, { before: -from, after: to - size, step: steps[i] });
  }, x);
}

export function split(operation: Operation): readonly Activation[] {
  const { attributes } = operation;
  const x = operation.activation(0);
  const [axis] = imageAxes(operation, [attributes.integer("axis", 0)], x);
  const size = x.shape[axis];
  const count = operation.node.outputs.length;
  attributes.ignore("num_outputs");
  const part = Math.ceil(size / count);
  const sizes =
    operation.numbers(1, "split") ??
    attributes.integers("split") ??
    Array.from({ length: count }, (_, i) => Math.min(part, size - i * part));
  if (sizes.length !== count || !sizes.every((own) => own > 0) || sizes.reduce((sum, own) => sum + own, 0) !== size) {
    throw invalid(operation, `splits ${size} into [${sizes.join(", ")}] for ${count} outputs`);
  }
  let start = 0;
  return sizes.map((own) => {
    const cut = { before: -start, after: start + own - size, step: 1 };
    start += own;
    return own === size ? x : alongAxis(operation, x, axis, cut);
  });
}
