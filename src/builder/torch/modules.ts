/** From the object that a file holds to the layers of a model, in the order in which they run. */

import { CrcnnError } from "../../errors/index.ts";
import { PASS_ARCHITECTURE } from "../source/file.ts";
import { MAX_LAYERS } from "../source/limits.ts";
import { adviceFor } from "../source/refusals.ts";
import { layerOrRefusal } from "../source/refused-layer.ts";
import type { SourceLayer, SourceModel } from "../source/source-model.ts";
import { printable } from "../source/text.ts";
import { isKnownLayer, labelOf, makeLayer } from "./make-layer.ts";
import { dictOf } from "./module-state.ts";
import { className, describe, type ModuleObject, ofKind, type PickleValue } from "./pickle-values.ts";

const SEQUENTIAL = "torch.nn.modules.container.Sequential";
const SAVE_MODEL = "save the network itself with torch.save(model, path)";

/**
 * The model of a torch.nn.Sequential, nested ones flattened, or of one bare layer. A layer that stands in several places is made once
 * and listed at each. One that cannot run encrypted is listed with its refusal.
 *
 * @param explain puts the file's name before a refusal.
 * @throws CrcnnError UNSUPPORTED_FILE (a state_dict, checkpoint or tensor), UNSUPPORTED_MODEL (another kind of network),
 * INVALID_FILE, LIMIT_EXCEEDED.
 */
export function toModel(root: PickleValue, explain: (error: CrcnnError) => CrcnnError): SourceModel {
  const model = ofKind(root, "module");
  if (model === undefined) throw notAModel(root);
  const made = new Map<ModuleObject, Pick<SourceLayer, "layer" | "refusal">>();
  const budget = { spent: 0 };
  const layers: SourceLayer[] = [];
  for (const { object, position } of walk(checkRoot(model))) {
    const layer =
      made.get(object) ??
      layerOrRefusal(
        printable(object.type.name),
        labelOf(object, position),
        () => makeLayer(object, position, budget),
        explain,
      );
    made.set(object, layer);
    layers.push({ position, index: layers.length, ...layer });
  }
  if (layers.length === 0) {
    throw new CrcnnError("UNSUPPORTED_MODEL", "its torch.nn.Sequential is empty: there is nothing to run");
  }
  return { layers };
}

interface Located {
  readonly object: ModuleObject;
  readonly position: string;
}

/** The leaves in order. A stack of its own: containers may be nested deeply, or hold themselves. */
function* walk(root: ModuleObject): Generator<Located> {
  const pending: Located[] = isSequential(root) ? children(root, "") : [{ object: root, position: "0" }];
  let visited = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (++visited > MAX_LAYERS || pending.length > MAX_LAYERS) {
      throw new CrcnnError("LIMIT_EXCEEDED", `its network has more than ${MAX_LAYERS} layers, or holds itself`);
    }
    if (isSequential(next.object)) pending.push(...children(next.object, `${next.position}.`));
    else yield next;
  }
}

/** The modules of a container, last first. */
function children(container: ModuleObject, prefix: string): Located[] {
  const modules = [...dictOf(container.state, "_modules")];
  if (modules.length > MAX_LAYERS) {
    throw new CrcnnError("LIMIT_EXCEEDED", `a Sequential has ${modules.length} layers, at most ${MAX_LAYERS} are read`);
  }
  return modules
    .map(([key, value]) => {
      const object = ofKind(value, "module");
      const position = printable(`${prefix}${String(key)}`);
      if (object === undefined) throw new CrcnnError("INVALID_FILE", `layer ${position} is ${describe(value)}`);
      return { object, position };
    })
    .reverse();
}

function isSequential(object: ModuleObject): boolean {
  return className(object.type) === SEQUENTIAL;
}

function checkRoot(model: ModuleObject): ModuleObject {
  if (isSequential(model) || isKnownLayer(model)) return model;
  const name = printable(className(model.type));
  if (model.type.module.startsWith("torch.nn.")) {
    throw new CrcnnError("UNSUPPORTED_MODEL", `its network is a ${name}: ${adviceFor(model.type.name)}`);
  }
  throw new CrcnnError(
    "UNSUPPORTED_MODEL",
    `its network is of the class ${name}, whose forward is code and not in the file: list its layers, load(source, { architecture }) or --architecture FILE.json, or save it as a torch.nn.Sequential`,
  );
}

function notAModel(root: PickleValue): CrcnnError {
  if (ofKind(root, "tensor")) {
    return new CrcnnError("UNSUPPORTED_FILE", `it holds a single tensor, not a network: ${SAVE_MODEL}`);
  }
  if (root instanceof Map) {
    const tensors = [...root.values()].some((value) => ofKind(value, "tensor"));
    const what = tensors ? "a state_dict (weights without layers)" : "a dictionary, perhaps a training checkpoint";
    return new CrcnnError("UNSUPPORTED_FILE", `it holds ${what}, not a network: ${PASS_ARCHITECTURE}`);
  }
  return new CrcnnError("INVALID_FILE", `it holds ${describe(root)}, not a network: ${SAVE_MODEL}`);
}
