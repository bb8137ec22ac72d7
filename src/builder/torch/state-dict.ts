/** The weights by name in what a torch file holds: a state_dict, a checkpoint with one inside, or a whole network. */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import type { StateDict, StateTensor } from "../state/state-dict.ts";
import { dictOf } from "./module-state.ts";
import {
  describe,
  type ModuleObject,
  ofKind,
  type PickleDict,
  type PickleValue,
  type TensorView,
} from "./pickle-values.ts";
import { readElements } from "./tensors.ts";

/** Where checkpoints keep the network's state_dict: PyTorch's tutorial, Lightning and timm, and others. */
const CHECKPOINT_KEYS = ["model_state_dict", "state_dict", "model"];

/** Layers, containers included, weights and buffers of a whole network. */
const MAX_ENTRIES = 10_000;

/** Characters of a weight's name. */
const MAX_KEY = 1_000;

/**
 * @throws CrcnnError INVALID_FILE, or UNSUPPORTED_FILE where there is no state_dict, or more than one.
 */
export function stateDictOf(root: PickleValue): StateDict {
  const module = ofKind(root, "module");
  if (module) return stateOfModule(module);
  if (!(root instanceof Map)) {
    throw new CrcnnError("UNSUPPORTED_FILE", `it holds ${describe(root)}, not a state_dict: save model.state_dict()`);
  }
  const places = CHECKPOINT_KEYS.filter((key) => root.get(key) instanceof Map);
  if (places.length > 1) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      `it holds dictionaries under ${places.join(" and ")}: save the state_dict of one network by itself`,
    );
  }
  const [place] = places;
  const dict = place === undefined ? root : (root.get(place) as PickleDict);
  return new Map([...dict].map(([key, value]) => [String(key), tensorOf(String(key), value)]));
}

/** What the network's own state_dict() would give. A stack of its own: a file's modules may hold each other. */
function stateOfModule(root: ModuleObject): StateDict {
  const state = new Map<string, StateTensor>();
  const pending: { readonly module: ModuleObject; readonly prefix: string }[] = [{ module: root, prefix: "" }];
  let entries = 0;
  const entriesOf = function* (module: ModuleObject, part: string, prefix: string): Generator<[string, PickleValue]> {
    for (const [name, value] of dictOf(module.state, part)) {
      if (++entries > MAX_ENTRIES) {
        throw new CrcnnError(
          "LIMIT_EXCEEDED",
          `its network has more than ${MAX_ENTRIES} layers and weights, or holds itself`,
        );
      }
      const key = String(name);
      if (prefix.length + key.length > MAX_KEY) {
        throw new CrcnnError("LIMIT_EXCEEDED", `a weight has a name of more than ${MAX_KEY} characters`);
      }
      yield [key, value];
    }
  };
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { module, prefix } = next;
    const hidden = new Set(ofKind(module.state?.get("_non_persistent_buffers_set"), "set")?.items);
    for (const part of ["_parameters", "_buffers"]) {
      for (const [name, value] of entriesOf(module, part, prefix)) {
        if (value !== null && !hidden.has(name)) state.set(prefix + name, tensorOf(prefix + name, value));
      }
    }
    for (const [name, value] of entriesOf(module, "_modules", prefix)) {
      const child = ofKind(value, "module");
      if (child) pending.push({ module: child, prefix: `${prefix}${name}.` });
    }
  }
  return state;
}

function tensorOf(key: string, value: PickleValue): StateTensor {
  const view: TensorView | undefined = ofKind(value, "tensor");
  if (view === undefined) {
    throw new CrcnnError("INVALID_FILE", `its entry "${printable(key)}" is ${describe(value)}, not a tensor`);
  }
  return { dtype: view.storage.dtype.name, shape: view.shape, read: () => readElements(view) };
}
