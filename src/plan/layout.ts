/**
 * Where the elements of a tensor live in the slots of one or several ciphertexts.
 *
 * A virtual slot v stands for slot `v mod slots` of ciphertext `floor(v / slots)`. Element e lives at `position[e]` and, as
 * copies, at `position[e] + r` for each r in `replicas` (cyclically within its ciphertext when there is one ciphertext; with
 * several, replicas never wrap).
 */

import { type Shape, sizeOf } from "./tensor.ts";

export interface Layout {
  readonly shape: Shape;
  /** Slots in use in one ciphertext, a power of two. */
  readonly slots: number;
  readonly ciphertexts: number;
  /** Virtual slot of each element. */
  readonly position: Int32Array;
  /** Offsets of the copies that every element has; sorted, the first is 0. */
  readonly replicas: Int32Array;
  /** Smallest power of two p with `replicas + p = replicas` modulo `slots`; `slots` itself when there is no smaller one. */
  readonly period: number;
}

/**
 * How the client fills slots: virtual slot v takes the value of input element `source[v]`, or zero where it is -1.
 * Replicas and im2col are nothing but repeated sources.
 */
export interface InputPacking {
  readonly shape: Shape;
  readonly slots: number;
  readonly ciphertexts: number;
  /** Length `slots * ciphertexts`. */
  readonly source: Int32Array;
  /** Smallest and largest element that the plan was made for, where that is known: larger values could wrap around unseen. */
  readonly range?: readonly [low: number, high: number] | undefined;
}

/** Smallest power of two p for which `offsets + p = offsets` modulo `slots`; `slots` when there is no smaller one. */
export function periodOf(offsets: ArrayLike<number>, slots: number): number {
  const members = new Uint8Array(slots);
  for (let i = 0; i < offsets.length; i++) members[modulo(offsets[i], slots)] = 1;
  for (let period = 1; period < slots; period *= 2) {
    if (offsets.length % (slots / period) !== 0) continue;
    let invariant = true;
    for (let i = 0; i < offsets.length && invariant; i++) {
      invariant = members[modulo(offsets[i] + period, slots)] === 1;
    }
    if (invariant) return period;
  }
  return slots;
}

/**
 * Makes a layout from the virtual slots of the elements and the offsets of their copies. With several ciphertexts the
 * offsets that would wrap for some element are left out, because a copy must hold for every element.
 *
 * @throws RangeError when the positions do not fit the shape, or two copies share a slot.
 */
export function createLayout(
  shape: Shape,
  slots: number,
  position: Int32Array,
  replicas: ArrayLike<number> = [0],
): Layout {
  if (position.length !== sizeOf(shape)) {
    throw new RangeError(`position must hold ${sizeOf(shape)} values, one an element, got ${position.length}`);
  }
  const layout = tryLayout(shape, slots, position, replicas);
  if (layout === undefined) throw new RangeError("replicas must leave every copy a slot of its own, but two share one");
  return layout;
}

/** As {@link createLayout}; undefined when two copies share a slot. */
export function tryLayout(
  shape: Shape,
  slots: number,
  position: Int32Array,
  replicas: ArrayLike<number>,
): Layout | undefined {
  let last = 0;
  let highest = 0;
  for (const virtual of position) {
    last = Math.max(last, virtual);
    highest = Math.max(highest, virtual % slots);
  }
  const ciphertexts = Math.floor(last / slots) + 1;
  const kept = Array.from(replicas).filter((offset) => ciphertexts === 1 || highest + offset < slots);
  const sorted = Int32Array.from(kept).sort();
  const layout = { shape, slots, ciphertexts, position, replicas: sorted, period: periodOf(sorted, slots) };
  return isInjective(layout) ? layout : undefined;
}

/** Elements in row-major order, one after the other, over as many ciphertexts as they need. */
export function flatLayout(shape: Shape, slots: number): Layout {
  return createLayout(
    shape,
    slots,
    Int32Array.from({ length: sizeOf(shape) }, (_, element) => element),
  );
}

/** A text that is equal for equal layouts, whichever objects they are. */
export function layoutKey({ shape, slots, position, replicas }: Layout): string {
  return [shape, slots, replicas, position].join(";");
}

/**
 * Several tensors as one: their elements, and their ciphertexts, one tensor after the other. Copies are kept where all of them have one. The
 * result is for reading: its copies may wrap around within their ciphertexts.
 */
export function joinLayouts(layouts: readonly Layout[]): Layout {
  if (layouts.length === 1) return layouts[0];
  const { slots } = layouts[0];
  const position: number[] = [];
  let ciphertexts = 0;
  let replicas = Array.from(layouts[0].replicas);
  for (const layout of layouts) {
    for (const virtual of layout.position) position.push(ciphertexts * slots + virtual);
    ciphertexts += layout.ciphertexts;
    const own = new Set(layout.replicas);
    replicas = replicas.filter((offset) => own.has(offset));
  }
  return {
    shape: [position.length],
    slots,
    ciphertexts,
    position: Int32Array.from(position),
    replicas: Int32Array.from(replicas),
    period: periodOf(replicas, slots),
  };
}

/** The same slots seen as a tensor of another shape with as many elements. */
export function reshapeLayout(layout: Layout, shape: Shape): Layout {
  return { ...layout, shape };
}

/** The virtual slot of the copy of an element at this offset. */
export function copySlot(layout: Layout, element: number, replica: number): number {
  const virtual = layout.position[element];
  const slot = virtual % layout.slots;
  return virtual - slot + ((slot + replica) % layout.slots);
}

function isInjective(layout: Layout): boolean {
  const { slots, ciphertexts, position, replicas } = layout;
  if (position.length * replicas.length > slots * ciphertexts) return false;
  const taken = new Uint8Array(slots * ciphertexts);
  for (let element = 0; element < position.length; element++) {
    for (const replica of replicas) {
      const slot = copySlot(layout, element, replica);
      if (taken[slot] === 1) return false;
      taken[slot] = 1;
    }
  }
  return true;
}

/**
 * The client's recipe for a layout. `layout` may hold a tensor made from the input by copying (im2col): then `source`
 * names the input element behind each of its elements (-1 for a zero) and `shape` the input.
 */
export function packingOf(layout: Layout, shape: Shape = layout.shape, source?: Int32Array): InputPacking {
  const { slots, ciphertexts } = layout;
  const bySlot = new Int32Array(slots * ciphertexts).fill(-1);
  for (let element = 0; element < layout.position.length; element++) {
    for (const replica of layout.replicas) {
      bySlot[copySlot(layout, element, replica)] = source === undefined ? element : source[element];
    }
  }
  return { shape, slots, ciphertexts, source: bySlot };
}

/** Slot values by ciphertext, as the client encrypts them, of an input with as many values as the packing's shape has. */
export function packSlots(packing: InputPacking, values: ArrayLike<number>): Float64Array[] {
  return Array.from({ length: packing.ciphertexts }, (_, ciphertext) =>
    Float64Array.from({ length: packing.slots }, (_, slot) => {
      const element = packing.source[ciphertext * packing.slots + slot];
      return element < 0 ? 0 : values[element];
    }),
  );
}

/** Slot values by ciphertext: the values of the elements on all their copies, zero elsewhere. */
export function spreadValues(values: Float64Array, { position, replicas, slots, ciphertexts }: Layout): Float64Array[] {
  const spread = Array.from({ length: ciphertexts }, () => new Float64Array(slots));
  for (const [element, value] of values.entries()) {
    const slot = position[element] % slots;
    const target = spread[(position[element] - slot) / slots];
    for (const replica of replicas) target[(slot + replica) % slots] = value;
  }
  return spread;
}

/** The values of the elements, read at their first copies from slot values by ciphertext. */
export function unpackSlots(
  layout: Pick<Layout, "position" | "slots">,
  ciphertexts: readonly ArrayLike<number>[],
): Float64Array {
  return Float64Array.from(
    layout.position,
    (virtual) => ciphertexts[Math.floor(virtual / layout.slots)][virtual % layout.slots],
  );
}

/** The remainder in 0 … modulus - 1, also of a negative value. */
export function modulo(value: number, modulus: number): number {
  const remainder = value % modulus;
  return remainder < 0 ? remainder + modulus : remainder;
}
