/** From an architecture, of which nothing is trusted, to the list of its layers with their names and what they read. */

import type { Shape } from "../../plan/index.ts";
import { MAX_LAYERS } from "../source/limits.ts";
import { hasAdvice } from "../source/refusals.ts";
import { MODEL_INPUT } from "../source/source-model.ts";
import { printable, show } from "../source/text.ts";
import type { Architecture } from "./architecture.ts";
import { malformed } from "./errors.ts";
import { fieldReader } from "./fields.ts";
import { type Fields, KINDS, type KindDefinition } from "./kinds.ts";

const PLACEMENT = ["kind", "name", "inputs"];
const SEQUENTIAL = "Sequential";
/** Sequentials within each other. */
const MAX_DEPTH = 16;
const MAX_NAME = 100;

/** A layer of an architecture. */
export interface PlacedLayer {
  /** Where the architecture describes it: `architecture[3].layers[0]`. */
  readonly path: string;
  readonly kind: string;
  /** Its name from the outermost list on. */
  readonly position: string;
  /** What the keys of its weights begin with. */
  readonly prefix: string;
  readonly fields: Fields;
  /** Undefined for a kind that is known and refused. */
  readonly definition: KindDefinition | undefined;
  /** By the names after the prefix. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Numbers of the layers that it reads, where that is not the one before it alone. */
  readonly inputs: readonly number[] | undefined;
}

/** What has been placed so far. */
interface Placing {
  readonly layers: PlacedLayer[];
  /** Where each name was given. */
  readonly paths: Map<string, string>;
  /** By name, the number of the layer whose output it stands for. */
  readonly outputs: Map<string, number>;
  /** The layer whose output the next one reads unless it says otherwise. */
  current: number;
  described: number;
}

/**
 * @throws CrcnnError INVALID_ARCHITECTURE, naming the field by its path.
 */
export function placeLayers(architecture: Architecture): readonly PlacedLayer[] {
  const given: unknown = architecture;
  const placing: Placing = {
    layers: [],
    paths: new Map(),
    outputs: new Map(),
    current: MODEL_INPUT,
    described: 0,
  };
  if (Array.isArray(given)) placeList(given, "architecture", "", 0, placing);
  else placeOne(given, { path: "architecture", index: 0, prefix: "", depth: 0, bare: true }, placing);
  if (placing.layers.length === 0) throw malformed("architecture", "holds no layer");
  return placing.layers;
}

function placeList(list: readonly unknown[], path: string, prefix: string, depth: number, placing: Placing): void {
  for (const [index, value] of list.entries()) {
    placeOne(value, { path: `${path}[${index}]`, index, prefix, depth, bare: false }, placing);
  }
}

interface Place {
  readonly path: string;
  readonly index: number;
  /** Of the list that it stands in. */
  readonly prefix: string;
  readonly depth: number;
  /** It is the whole network, and its weights have no prefix. */
  readonly bare: boolean;
}

function placeOne(value: unknown, { path, index, prefix, depth, bare }: Place, placing: Placing): void {
  if (++placing.described > MAX_LAYERS) throw malformed("architecture", `holds more than ${MAX_LAYERS} layers`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(path, `must be a layer, as { "kind": "Square" }, got ${show(value)}`);
  }
  const fields = value as Fields;
  const kind = kindOf(fields, path);
  const position = `${prefix}${nameOf(fields, path) ?? index}`;
  const known = placing.paths.get(position);
  if (known !== undefined) throw malformed(`${path}.name`, `is "${printable(position)}", which ${known} has already`);
  placing.paths.set(position, path);
  const inputs = fields.inputs === undefined ? [placing.current] : inputsOf(fields.inputs, `${path}.inputs`, placing);
  checkInputCount(inputs.length, kind, path);

  if (kind === SEQUENTIAL) {
    checkFields(fields, ["layers"], kind, path);
    if (!Array.isArray(fields.layers))
      throw malformed(`${path}.layers`, `must be a list of layers, got ${show(fields.layers)}`);
    if (depth === MAX_DEPTH) throw malformed(path, `is a Sequential inside of ${MAX_DEPTH} others, more than is read`);
    placing.current = inputs[0];
    placeList(fields.layers, `${path}.layers`, bare ? "" : `${position}.`, depth + 1, placing);
  } else {
    const definition = KINDS.get(kind);
    if (definition) checkFields(fields, definition.fields, kind, path);
    const number = placing.layers.length;
    placing.layers.push({
      path,
      kind,
      position,
      prefix: bare ? "" : `${position}.`,
      fields,
      definition,
      shapes: definition?.weights(fieldReader(fields, path)) ?? new Map(),
      inputs: inputs.length === 1 && inputs[0] === number - 1 ? undefined : inputs,
    });
    placing.current = number;
  }
  placing.outputs.set(position, placing.current);
}

function checkInputCount(count: number, kind: string, path: string): void {
  const joins = KINDS.get(kind)?.joins ?? false;
  if (joins && count < 2) throw malformed(`${path}.inputs`, `must name two layers or more, which ${kind} joins`);
  if (!joins && count !== 1) throw malformed(`${path}.inputs`, `must name one layer, ${kind} takes one input`);
}

function kindOf({ kind }: Fields, path: string): string {
  if (typeof kind === "string" && (kind === SEQUENTIAL || KINDS.has(kind) || hasAdvice(kind))) return kind;
  throw malformed(`${path}.kind`, `must be one of ${[...KINDS.keys(), SEQUENTIAL].join(", ")}, got ${show(kind)}`);
}

function nameOf({ name }: Fields, path: string): string | undefined {
  if (name === undefined) return undefined;
  if (typeof name === "string" && name.length > 0 && name.length <= MAX_NAME && printable(name) === name) return name;
  throw malformed(`${path}.name`, `must be a text of 1 to ${MAX_NAME} printable characters, got ${show(name)}`);
}

function checkFields(fields: Fields, allowed: readonly string[], kind: string, path: string): void {
  const unknown = Object.keys(fields).find((name) => !PLACEMENT.includes(name) && !allowed.includes(name));
  if (unknown === undefined) return;
  throw malformed(
    `${path}.${printable(unknown)}`,
    `is no field of ${kind}: it has ${[...allowed, "name", "inputs"].join(", ")}`,
  );
}

/** The numbers of layers that are named by number or position, all of them placed before. */
function inputsOf(value: unknown, path: string, { layers, outputs }: Placing): number[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_LAYERS) {
    throw malformed(path, `must be a list of earlier layers, as ["conv1"] or [0], got ${show(value)}`);
  }
  return value.map((entry, i) => {
    const number = typeof entry === "string" ? outputs.get(entry) : entry;
    if (Number.isInteger(number) && number >= MODEL_INPUT && number < layers.length) return number;
    throw malformed(
      `${path}[${i}]`,
      `must be the name or the number of one of the ${layers.length} layers before it, or ${MODEL_INPUT} for the network's input, got ${show(entry)}`,
    );
  });
}
