/** Layers from an architecture and the weights of a file. */

import { CrcnnError } from "../../errors/index.ts";
import { formatShape, type Layer, type Tensor } from "../../plan/index.ts";
import { adviceFor } from "../source/refusals.ts";
import { layerOrRefusal } from "../source/refused-layer.ts";
import type { SourceModel } from "../source/source-model.ts";
import { printable } from "../source/text.ts";
import { type ElementBudget, requireFinite, spendElements } from "../source/weights.ts";
import type { StateDict, StateTensor } from "../state/state-dict.ts";
import { wrapperPrefix } from "../state/unwrap.ts";
import { malformed } from "./errors.ts";
import type { PlacedLayer } from "./place.ts";

/**
 * The model of an architecture whose weights have PyTorch's names: `0.weight`, `bn.running_mean`.
 *
 * @param explain puts the file's name before a message.
 * @throws CrcnnError STATE_MISMATCH naming the entry that is missing, unexpected or of another shape, INVALID_ARCHITECTURE, UNSUPPORTED_FILE for
 * weights that are no floats, INVALID_FILE for weights that are not finite, LIMIT_EXCEEDED.
 */
export function buildModel(
  layers: readonly PlacedLayer[],
  state: StateDict,
  explain: (error: CrcnnError) => CrcnnError,
): SourceModel {
  const expected = layers.flatMap(({ prefix, shapes }) => [...shapes.keys()].map((name) => prefix + name));
  const wrapper = wrapperPrefix(state, expected);
  const budget = { spent: 0 };
  for (const layer of layers) requireWeights(layer, wrapper, state, budget);
  requireNothingElse(layers, wrapper, state);
  return {
    layers: layers.map((placed, index) => ({
      position: placed.position,
      index,
      ...(placed.inputs && { inputs: placed.inputs }),
      ...layerOrRefusal(placed.kind, labelOf(placed), () => makeLayer(placed, wrapper, state), explain),
    })),
  };
}

/** All weights must be there in their shapes, before any is read. */
function requireWeights(placed: PlacedLayer, wrapper: string, state: StateDict, budget: ElementBudget): void {
  const { path, kind, prefix, shapes } = placed;
  for (const [name, wanted] of shapes) {
    const key = wrapper + prefix + name;
    const found = state.get(key)?.shape;
    if (found === undefined) {
      const remedy = name === "bias" ? `; write "bias": false at ${path} if the layer has none` : "";
      throw mismatch(
        `its state_dict has no entry "${printable(key)}", which ${path} (${kind}) needs with the shape ${formatShape(wanted)}; it has ` +
          `${listKeys(state)}${remedy}`,
      );
    }
    if (found.length !== wanted.length || found.some((size, axis) => size !== wanted[axis])) {
      throw mismatch(
        `its entry "${printable(key)}" has the shape ${formatShape(found) || "of a scalar"}, ${path} (${kind}) needs ${formatShape(wanted)}`,
      );
    }
    spendElements(budget, wanted, labelOf(placed));
  }
}

/** As messages call a layer. */
function labelOf({ position, kind }: PlacedLayer): string {
  return `layer ${printable(position)} (${kind})`;
}

function requireNothingElse(layers: readonly PlacedLayer[], wrapper: string, state: StateDict): void {
  const known = new Set(
    layers.flatMap(({ prefix, shapes, definition }) =>
      [...shapes.keys(), ...(definition?.ignored ?? [])].map((name) => wrapper + prefix + name),
    ),
  );
  // What a refused layer has is not known here.
  const refused = layers.filter(({ definition }) => definition === undefined).map(({ prefix }) => wrapper + prefix);
  for (const [key, { shape }] of state) {
    if (known.has(key) || refused.some((prefix) => key.startsWith(prefix))) continue;
    throw mismatch(
      `its state_dict has the entry "${printable(key)}" of shape ${formatShape(shape) || "scalar"}, which belongs to no layer of the ` +
        `architecture; the layers are ${listOf(layers.map(({ kind, position }) => `${printable(position)} (${kind})`))}`,
    );
  }
}

function makeLayer(placed: PlacedLayer, wrapper: string, state: StateDict): Layer {
  const { kind, definition, prefix, shapes, fields } = placed;
  const label = labelOf(placed);
  if (definition === undefined) {
    throw new CrcnnError("UNSUPPORTED_LAYER", `${label} does not run encrypted: ${adviceFor(kind)}`);
  }
  const weights = new Map<string, Tensor>();
  for (const [name, shape] of shapes) {
    weights.set(name, { shape, data: readWeights(state.get(wrapper + prefix + name) as StateTensor, label, name) });
  }
  try {
    return definition.make(fields, weights);
  } catch (error) {
    if (error instanceof CrcnnError && error.code !== "SHAPE_MISMATCH") throw error;
    if (error instanceof Error) throw renamed(error, placed);
    throw error;
  }
}

function readWeights(tensor: StateTensor, label: string, name: string): Float64Array {
  const data = tensor.read();
  if (data === undefined) {
    throw new CrcnnError("UNSUPPORTED_FILE", `${label}: its ${name} is ${tensor.dtype}: save model.float()`);
  }
  requireFinite(data, label, name);
  return data;
}

/** What a layer's factory says of an option, said of the field: `Conv2d: stride must …` becomes `architecture[0].stride must …`. */
function renamed({ message }: Error, { path, kind, definition }: PlacedLayer): CrcnnError {
  const said = message.startsWith(`${kind}: `) ? message.slice(kind.length + 2) : message;
  const [field] = said.split(" ", 1);
  const isField = definition?.fields.includes(field);
  return malformed(isField ? `${path}.${field}` : `${path} (${kind}):`, isField ? said.slice(field.length + 1) : said);
}

const LISTED = 6;

function listKeys(state: StateDict): string {
  return state.size === 0 ? "none" : listOf([...state.keys()].map(printable));
}

function listOf(names: readonly string[]): string {
  const more = names.length - LISTED;
  return `${names.slice(0, LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function mismatch(message: string): CrcnnError {
  return new CrcnnError("STATE_MISMATCH", message);
}
