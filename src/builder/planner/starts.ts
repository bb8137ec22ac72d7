/** Where a search may start: the layouts of the input, and of copies of it that the client makes (im2col). */

import {
  type AffineMap,
  type InputPacking,
  imageShape,
  imageStride,
  inputParts,
  type Layout,
  packingOf,
  type Shape,
  type Stride,
  sizeOf,
} from "../../plan/index.ts";
import type { AffineGroup, Link, NetworkGraph } from "./groups.ts";
import { unrollWindows } from "./im2col.ts";
import { inputLayouts } from "./input-layouts.ts";

export interface Start {
  readonly layout: Layout;
  /** How the client fills it. */
  readonly packing: InputPacking;
  /** An unrolled input serves one group, of the links before `end`, and this map in its place. */
  readonly unrolled?: { readonly end: number; readonly map: AffineMap };
}

/** A start from the layout that the input has already. */
export function fixedStart(layout: Layout): Start {
  return { layout, packing: packingOf(layout) };
}

/** @param groups those that begin with the first link. */
export function freeStarts(
  { links, live }: NetworkGraph,
  groups: readonly AffineGroup[],
  inputShape: Shape,
  slots: number,
): Start[] {
  const first = links[0];
  const firstOutput = imageShape(first?.kind === "affine" ? first.map.outputShape : inputShape);
  const family = {
    slots,
    phases: phasesOf(links, 0, inputShape),
    outputChannels: firstOutput.channels,
    flat: firstOutput.height * firstOutput.width === 1,
  };
  const starts = inputLayouts({ ...family, shape: inputShape }).map(fixedStart);
  const room = slots * Math.ceil(sizeOf(inputShape) / slots);
  for (const { end, map } of groups) {
    // What another layer needs as well has to be there as it is.
    if (live[end].includes(0)) continue;
    const unrolled = unrollWindows(map, room);
    if (unrolled === undefined) continue;
    const phases = phasesOf(links, end, map.outputShape);
    for (const layout of inputLayouts({ ...family, phases, shape: unrolled.shape })) {
      const packing = packingOf(layout, inputShape, unrolled.source);
      starts.push({ layout, packing, unrolled: { end, map: unrolled.map } });
    }
  }
  return starts;
}

/** Products of the strides of the first layers from a value on, as long as the image has more than one pixel. */
function phasesOf(links: readonly Link[], from: number, shape: Shape): Stride[] {
  const phases: Stride[] = [{ y: 1, x: 1 }];
  const { height, width } = imageShape(shape);
  let current = phases[0];
  let value = from;
  for (const [at, link] of links.entries()) {
    const input = link.inputs.indexOf(value);
    if (input < 0) continue;
    value = at + 1;
    if (link.kind === "square") continue;
    const output = imageShape(link.map.outputShape);
    const stride = imageStride(link.map, inputParts(link.inputShapes)[input]);
    if (output.height * output.width === 1 || stride === undefined) break;
    if (stride.y * stride.x === 1) continue;
    current = { y: current.y * stride.y, x: current.x * stride.x };
    if (current.y > height || current.x > width) break;
    phases.push(current);
  }
  return phases;
}
