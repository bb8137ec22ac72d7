/**
 * What a pickle may name, by exact module and name. Everything else is refused where it is looked up, before any use.
 *
 * - A function runs only if it is listed here; what runs is ours and makes plain data.
 * - A class of torch.nn, or of a module of the user's, becomes its name. The unpickler then insists that each is filled
 *   with a layer's state, so a name that is only looked up, called or given arguments is refused as well.
 */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import {
  describe,
  type KnownFunction,
  type ModuleClass,
  ofKind,
  type PickleValue,
  type StorageType,
  type TorchConstant,
} from "./pickle-values.ts";
import { PYTHON_MODULES } from "./python-modules.ts";
import { rebuildTensor, STORAGE_TYPES } from "./tensors.ts";

export type Global = ModuleClass | KnownFunction | StorageType | TorchConstant;

type Apply = KnownFunction["apply"];

const FUNCTIONS: ReadonlyMap<string, KnownFunction> = new Map(
  (
    [
      ["collections.OrderedDict", orderedDict],
      ["__builtin__.set", set],
      ["builtins.set", set],
      ["_codecs.encode", encode],
      ["torch.Size", ([sizes]) => sizes ?? null],
      ["torch.device", () => ({ kind: "constant", name: "torch.device" })],
      // An attribute of every layer before torch 1.3, which says nothing of the network.
      ["torch.nn.backends.thnn._get_thnn_function_backend", () => null],
      ["torch._utils._rebuild_tensor_v2", rebuildTensor],
      ["torch._utils._rebuild_parameter", rebuildParameter],
    ] satisfies [string, Apply][]
  ).map(([name, apply]) => [name, { kind: "function", name, apply }]),
);

const DTYPES: ReadonlySet<string> = new Set([
  "float16",
  "bfloat16",
  "float32",
  "float64",
  "int8",
  "uint8",
  "int16",
  "int32",
  "int64",
  "bool",
]);
const QUANTIZED = /^Q\w+Storage$/;
const LAYER_MODULE = /^torch\.nn\.(modules|parallel)\.\w+$/;
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/**
 * What a name in a pickle stands for.
 *
 * @throws CrcnnError UNSAFE_FILE naming it when it is not allowed, UNSUPPORTED_FILE for quantized storages.
 */
export function resolveGlobal(module: string, name: string): Global {
  const full = `${module}.${name}`;
  const known = FUNCTIONS.get(full);
  if (known) return known;
  if (module === "torch") {
    const dtype = STORAGE_TYPES.get(name);
    if (dtype) return { kind: "storage-type", dtype };
    if (DTYPES.has(name)) return { kind: "constant", name: full };
    if (QUANTIZED.test(name)) {
      throw new CrcnnError(
        "UNSUPPORTED_FILE",
        `its weights are quantized (${printable(full)}): save the network in float32`,
      );
    }
  }
  if (!isLayerClass(module, name)) throw unsafe(`asks for ${full}`);
  return { kind: "class", module, name };
}

function isLayerClass(module: string, name: string): boolean {
  if (!IDENTIFIER.test(name) || name.startsWith("__")) return false;
  if (LAYER_MODULE.test(module)) return true;
  const parts = module.split(".");
  if (!parts.every((part) => IDENTIFIER.test(part))) return false;
  const [root] = parts;
  return module === "__main__" || !(root === "torch" || root.startsWith("_") || PYTHON_MODULES.has(root));
}

/** The error for a pickle that wants code run. `deed` says what it does. */
export function unsafe(deed: string): CrcnnError {
  return new CrcnnError(
    "UNSAFE_FILE",
    `its pickle ${printable(deed)}: Python would run that as code, here it was not run; save a torch.nn.Sequential with torch.save(model, path)`,
  );
}

function orderedDict(args: readonly PickleValue[]): PickleValue {
  if (args.length > 0) throw invalid("an OrderedDict is made of arguments, which torch.save does not write");
  return new Map();
}

function set([items]: readonly PickleValue[]): PickleValue {
  if (items === undefined) return { kind: "set", items: [] };
  if (!Array.isArray(items)) throw invalid(`a set is made of ${describe(items)}`);
  return { kind: "set", items };
}

/** How protocol 2 spells bytes: text of code points below 256, and "latin1". */
function encode([text, encoding]: readonly PickleValue[]): PickleValue {
  if (typeof text !== "string" || encoding !== "latin1") throw invalid("bytes are spelled in an unknown encoding");
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function rebuildParameter([data]: readonly PickleValue[]): PickleValue {
  const tensor = ofKind(data, "tensor");
  if (tensor === undefined) throw invalid("a parameter is made of something other than a tensor");
  return tensor;
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}
