/** The messages of an ONNX file that a network needs, as plain data. What else is in the file is skipped unread. */

import { CrcnnError } from "../../errors/index.ts";
import { MAX_AXES, MAX_ELEMENTS } from "../source/limits.ts";
import { printable } from "../source/text.ts";
import { MAX_INTEGERS, MAX_NODES } from "./limits.ts";
import {
  addIntegers,
  bytesOf,
  createWireReader,
  type Field,
  floatBytes,
  floatOf,
  integerOf,
  textOf,
  type WireReader,
} from "./wire.ts";

/** A TensorProto with its elements still in the form in which they were written. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** A value of TensorProto.DataType. */
  readonly dataType: number;
  /** All elements, little-endian. */
  readonly raw: Uint8Array | undefined;
  /** Elements in a list of their type, by occurrence of the field; only one of these lists holds any. */
  readonly floats: readonly Uint8Array[];
  readonly doubles: readonly Uint8Array[];
  readonly integers: readonly number[];
  /** The other file that the elements are said to be in. */
  readonly externalFile: string | undefined;
}

/** An AttributeProto: one of the values is there, unless it is of a kind that no operator known here has. */
export interface OnnxAttribute {
  readonly name: string;
  readonly float: number | undefined;
  readonly integer: number | undefined;
  readonly text: string | undefined;
  readonly tensor: OnnxTensor | undefined;
  readonly floats: readonly number[];
  readonly integers: readonly number[];
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** Names of values; an empty one is an input that was left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A ValueInfoProto. A size that the file does not fix is undefined, as are the sizes of what is no tensor or has no shape. */
export interface OnnxValue {
  readonly name: string;
  readonly dims: readonly (number | undefined)[] | undefined;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Version of the standard's own operators. */
  readonly opset: number;
  /** Functions that the file brings, as `domain::name`. */
  readonly functions: ReadonlySet<string>;
}

/** The domain of the standard's own operators, by its other name. */
export const STANDARD_DOMAIN = "ai.onnx";

/** A domain as it is compared: the standard's is empty. */
export function domainOf(name: string): string {
  return name === STANDARD_DOMAIN ? "" : name;
}

/**
 * Reads a ModelProto. Field numbers are those of onnx.proto3.
 *
 * @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE, LIMIT_EXCEEDED.
 */
export function readMessages(bytes: Uint8Array): OnnxModel {
  const reader = createWireReader();
  let graph: OnnxGraph | undefined;
  let opset: number | undefined;
  const functions = new Set<string>();
  for (const field of reader.fields(bytes, "the file")) {
    if (field.number === 7) {
      if (graph !== undefined) throw invalid("the file has two graphs");
      graph = readGraph(reader, bytesOf(field, "the file"));
    } else if (field.number === 8) {
      const { domain, version } = readOperatorSet(reader, bytesOf(field, "the file"));
      if (domainOf(domain) === "") opset = version;
    } else if (field.number === 25) {
      functions.add(readFunctionName(reader, bytesOf(field, "the file")));
    }
  }
  if (graph === undefined) throw invalid("the file has no graph");
  if (opset === undefined) throw invalid("the file does not say which version of the standard's operators it uses");
  return { graph, opset, functions };
}

function readOperatorSet(reader: WireReader, message: Uint8Array): { domain: string; version: number } {
  const what = "the list of operator sets";
  let [domain, version] = ["", 0];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) domain = textOf(field, what);
    if (field.number === 2) version = integerOf(field, what);
  }
  return { domain, version };
}

function readFunctionName(reader: WireReader, message: Uint8Array): string {
  const what = "the list of functions";
  let [name, domain] = ["", ""];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) name = textOf(field, what);
    if (field.number === 10) domain = textOf(field, what);
  }
  return `${domainOf(domain)}::${name}`;
}

function readGraph(reader: WireReader, message: Uint8Array): OnnxGraph {
  const what = "the graph";
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) {
      if (nodes.length === MAX_NODES) {
        throw new CrcnnError("LIMIT_EXCEEDED", `the graph has more than ${MAX_NODES} nodes`);
      }
      nodes.push(readNode(reader, bytesOf(field, what), `node ${nodes.length}`));
    } else if (field.number === 5) {
      const tensor = readTensor(reader, bytesOf(field, what), "an initializer");
      if (initializers.has(tensor.name)) throw invalid(`two initializers are called "${printable(tensor.name)}"`);
      initializers.set(tensor.name, tensor);
    } else if (field.number === 11) {
      inputs.push(readValue(reader, bytesOf(field, what), "an input of the graph"));
    } else if (field.number === 12) {
      outputs.push(readValue(reader, bytesOf(field, what), "an output of the graph"));
    } else if (field.number === 15) {
      throw new CrcnnError("UNSUPPORTED_FILE", "it has sparse initializers: save its weights as dense tensors");
    }
  }
  return { nodes, initializers, inputs, outputs };
}

function readNode(reader: WireReader, message: Uint8Array, what: string): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let [name, operator, domain] = ["", "", ""];
  const attributes = new Map<string, OnnxAttribute>();
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) inputs.push(textOf(field, what));
    else if (field.number === 2) outputs.push(textOf(field, what));
    else if (field.number === 3) name = textOf(field, what);
    else if (field.number === 4) operator = textOf(field, what);
    else if (field.number === 5) {
      const attribute = readAttribute(reader, bytesOf(field, what), what);
      if (attributes.has(attribute.name)) {
        throw invalid(`${what} has two attributes called "${printable(attribute.name)}"`);
      }
      attributes.set(attribute.name, attribute);
    } else if (field.number === 7) domain = domainOf(textOf(field, what));
  }
  return { name, operator, domain, inputs, outputs, attributes };
}

function readAttribute(reader: WireReader, message: Uint8Array, node: string): OnnxAttribute {
  const what = `an attribute of ${node}`;
  let name = "";
  let float: number | undefined;
  let integer: number | undefined;
  let text: string | undefined;
  let tensor: OnnxTensor | undefined;
  const integers: number[] = [];
  const floats: number[] = [];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) name = textOf(field, what);
    else if (field.number === 2) float = floatOf(field, what);
    else if (field.number === 3) integer = integerOf(field, what);
    else if (field.number === 4) text = latin1(bytesOf(field, what));
    else if (field.number === 5) tensor = readTensor(reader, bytesOf(field, what), what);
    else if (field.number === 7) addFloats(field, floats, what);
    else if (field.number === 8) addIntegers(field, integers, MAX_INTEGERS, what);
    // The function around it would give the value.
    else if (field.number === 21) throw invalid(`${what} refers to an attribute of a function`);
  }
  return { name, float, integer, text, tensor, floats, integers };
}

/** Attribute texts are names of modes; bytes that are none need not be text at all. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 64));
}

function addFloats(field: Field, to: number[], what: string): void {
  const bytes = floatBytes(field, 4, what);
  if (to.length + bytes.length / 4 > MAX_INTEGERS) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${what} has a list of more than ${MAX_INTEGERS} numbers`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 4) to.push(view.getFloat32(at, true));
}

function readTensor(reader: WireReader, message: Uint8Array, owner: string): OnnxTensor {
  const what = `a tensor (${owner})`;
  let [name, dataType, external, location] = ["", 0, false, ""];
  let raw: Uint8Array | undefined;
  const dims: number[] = [];
  const floats: Uint8Array[] = [];
  const doubles: Uint8Array[] = [];
  const integers: number[] = [];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) addIntegers(field, dims, MAX_AXES, what);
    else if (field.number === 2) dataType = integerOf(field, what);
    else if (field.number === 3) throw invalid(`${what} is a segment of a larger one`);
    else if (field.number === 4) floats.push(floatBytes(field, 4, what));
    else if (field.number === 5 || field.number === 7) addIntegers(field, integers, MAX_ELEMENTS, what);
    else if (field.number === 8) name = textOf(field, what);
    else if (field.number === 9) raw = bytesOf(field, what);
    else if (field.number === 10) doubles.push(floatBytes(field, 8, what));
    else if (field.number === 13) {
      const entry = readEntry(reader, bytesOf(field, what), what);
      if (entry.key === "location") location = entry.value;
      external = true;
    } else if (field.number === 14) external ||= integerOf(field, what) !== 0;
  }
  const externalFile = external ? printable(location) : undefined;
  return { name, dims, dataType, raw, floats, doubles, integers, externalFile };
}

function readEntry(reader: WireReader, message: Uint8Array, what: string): { key: string; value: string } {
  let [key, value] = ["", ""];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) key = textOf(field, what);
    if (field.number === 2) value = textOf(field, what);
  }
  return { key, value };
}

function readValue(reader: WireReader, message: Uint8Array, what: string): OnnxValue {
  let name = "";
  let dims: OnnxValue["dims"];
  for (const field of reader.fields(message, what)) {
    if (field.number === 1) name = textOf(field, what);
    // ValueInfoProto.type, TypeProto.tensor_type, Tensor.shape.
    if (field.number === 2) {
      for (const type of reader.fields(bytesOf(field, what), what)) {
        if (type.number !== 1) continue;
        for (const part of reader.fields(bytesOf(type, what), what)) {
          if (part.number === 2) dims = readDims(reader, bytesOf(part, what), what);
        }
      }
    }
  }
  return { name, dims };
}

function readDims(reader: WireReader, message: Uint8Array, what: string): (number | undefined)[] {
  const dims: (number | undefined)[] = [];
  for (const field of reader.fields(message, what)) {
    if (field.number !== 1) continue;
    if (dims.length === MAX_AXES) throw new CrcnnError("LIMIT_EXCEEDED", `${what} has more than ${MAX_AXES} axes`);
    let size: number | undefined;
    for (const part of reader.fields(bytesOf(field, what), what)) {
      if (part.number === 1) size = integerOf(part, what);
    }
    // Some exporters write -1 for what is not fixed.
    dims.push(size !== undefined && size > 0 ? size : undefined);
  }
  return dims;
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}
