/** Names that a wrapper around the network has put before those of the network itself. */

import type { StateDict } from "./state-dict.ts";

/** Of torch.nn.DataParallel and DistributedDataParallel, torch.compile, and a network held as `self.model`. */
const WRAPPERS = ["module.", "_orig_mod.", "model."];

/**
 * What stands before every key where none fits the architecture without it: `module.`, `module._orig_mod.`, or nothing.
 *
 * @param expected the keys that the architecture has.
 */
export function wrapperPrefix(state: StateDict, expected: readonly string[]): string {
  const keys = [...state.keys()];
  let prefix = "";
  while (keys.length > 0 && !expected.some((key) => state.has(prefix + key))) {
    const wrapper = WRAPPERS.find((name) => keys.every((key) => key.startsWith(prefix + name)));
    if (wrapper === undefined) break;
    prefix += wrapper;
  }
  return prefix;
}
