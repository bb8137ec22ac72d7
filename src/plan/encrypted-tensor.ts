/** Encrypted tensors, and what refreshes them. */

import type { CkksCiphertext } from "../ckks/index.ts";
import type { Layout } from "./layout.ts";
import type { Shape } from "./tensor.ts";

/** A tensor in ciphertexts. */
export interface EncryptedTensor {
  readonly shape: Shape;
  readonly layout: Layout;
  /** True value = slot value / factor; not 1 only behind a pool whose division is still owed. */
  readonly factor: number;
  readonly ciphertexts: readonly CkksCiphertext[];
}

/** Whoever can decrypt and encrypt again: the key's owner, or a line to it. */
export interface Refresher {
  /** The same values, freshly encrypted at the top level, laid out as `layout` says (as before by default). */
  refresh(tensor: EncryptedTensor, layout?: Layout): EncryptedTensor;
}
