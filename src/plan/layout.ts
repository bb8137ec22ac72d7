/**
 * Where the elements of a tensor live in the slots of one or several ciphertexts.
 *
 * A virtual slot v stands for slot `v mod slots` of ciphertext `floor(v / slots)`. Element e lives at `position[e]` and, as
 * copies, at `position[e] + r` for each r in `replicas` (cyclically within its ciphertext when there is one ciphertext; with
 * several, replicas never wrap).
 */

import type { Shape } from "./tensor.ts";

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
}
