/** The attributes and parameters of a layer object, read with checks. */

import { CrcnnError } from "../../errors/index.ts";
import type { Tensor } from "../../plan/index.ts";
import { MAX_AXES } from "../source/limits.ts";
import { printable } from "../source/text.ts";
import { type ElementBudget, requireFinite, spendElements } from "../source/weights.ts";
import { describe, type ModuleObject, ofKind, type PickleDict, type PickleValue } from "./pickle-values.ts";
import { readElements } from "./tensors.ts";

type Scalar = null | boolean | number | string;
/** What the attributes of the layers known here are. */
export type Plain = Scalar | readonly Scalar[];

export interface ModuleState {
  /** What messages call the layer: `layer 3 (Conv2d)`. */
  readonly label: string;
  /** An attribute as plain data, a tuple as an array; `fallback` where it is not there, an error without one. */
  attribute(name: string, fallback?: Plain): Plain;
  /** A parameter in double precision; undefined where it is None or not there. */
  parameter(name: string): Tensor | undefined;
  /** As `parameter`, of a layer that cannot do without. */
  weight(): Tensor;
  /** A tensor that is no parameter, as a running mean; undefined where it is None or not there. */
  buffer(name: string): Tensor | undefined;
}

/** @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE or LIMIT_EXCEEDED from its methods, naming the layer. */
export function moduleState(object: ModuleObject, label: string, budget: ElementBudget): ModuleState {
  const { state } = object;
  if (state === undefined) throw new CrcnnError("INVALID_FILE", `${label} has no attributes`);

  function tensor(dict: "_parameters" | "_buffers", name: string): Tensor | undefined {
    const value = dictOf(state, dict).get(name) ?? null;
    if (value === null) return undefined;
    const view = ofKind(value, "tensor");
    if (view === undefined) throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is not a tensor`);
    spendElements(budget, view.shape, label);
    const data = readElements(view);
    if (data === undefined) {
      throw new CrcnnError(
        "UNSUPPORTED_FILE",
        `${label}: its ${name} is ${view.storage.dtype.name}: save model.float()`,
      );
    }
    requireFinite(data, label, name);
    return { shape: view.shape, data };
  }

  return {
    label,
    attribute(name, fallback) {
      const value = state.get(name);
      const found = value === undefined ? fallback : toPlain(value);
      if (found !== undefined) return found;
      const what = value === undefined ? "missing" : describe(value);
      throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is ${what}`);
    },
    parameter: (name) => tensor("_parameters", name),
    buffer: (name) => tensor("_buffers", name),
    weight() {
      const weight = tensor("_parameters", "weight");
      if (weight === undefined) throw new CrcnnError("INVALID_FILE", `${label} has no weight`);
      return weight;
    },
  };
}

/** A dictionary among the attributes; an empty one where there is none. */
export function dictOf(state: PickleDict | undefined, name: string): PickleDict {
  const dict = state?.get(name);
  return dict instanceof Map ? dict : new Map();
}

/** A scalar, or a short sequence of scalars; undefined for other values. */
function toPlain(value: PickleValue): Plain | undefined {
  const items = ofKind(value, "tuple")?.items ?? value;
  if (!Array.isArray(items)) return toScalar(value);
  const scalars = items.map(toScalar).filter((item) => item !== undefined);
  return items.length <= MAX_AXES && scalars.length === items.length ? scalars : undefined;
}

function toScalar(value: PickleValue): Scalar | undefined {
  if (typeof value === "string") return printable(value);
  return value === null || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}
