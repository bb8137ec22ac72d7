/** The elements of a tensor in the file. */

import { CrcnnError } from "../../errors/index.ts";
import { BFLOAT16, type ElementType, FLOAT16, FLOAT32, FLOAT64 } from "../source/element-types.ts";
import { type ElementBudget, requireFinite, spendElements } from "../source/weights.ts";
import type { OnnxTensor } from "./messages.ts";
import { type Constant, countElements } from "./values.ts";

/** TensorProto.DataType: floats by how raw data and the lists hold them. */
const FLOATS: ReadonlyMap<number, ElementType & { readonly list: "floats" | "doubles" | "integers" }> = new Map([
  [1, { ...FLOAT32, list: "floats" }],
  [10, { ...FLOAT16, list: "integers" }],
  [11, { ...FLOAT64, list: "doubles" }],
  [16, { ...BFLOAT16, list: "integers" }],
]);

interface IntegerType {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}

const INTEGERS: ReadonlyMap<number, IntegerType> = new Map([
  [2, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [3, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [5, { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [6, { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [7, { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [9, { bytes: 1, read: (view, at) => view.getUint8(at) }],
] satisfies [number, IntegerType][]);

const NAMES = [
  ..."undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64".split(" "),
  ..."complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4".split(" "),
];

/** True for a TensorProto.DataType whose values are read here as doubles. */
export function isFloatType(dataType: number): boolean {
  return FLOATS.has(dataType);
}

/** True for one whose values are read as integers. */
export function isIntegerType(dataType: number): boolean {
  return INTEGERS.has(dataType);
}

/** The name of a TensorProto.DataType. */
export function typeName(dataType: number): string {
  return NAMES[dataType] ?? `type ${dataType}`;
}

/**
 * Reads a tensor: floats widened exactly to doubles, integers as doubles, which are exact below 2^53.
 *
 * @param what the tensor, for messages.
 * @throws CrcnnError INVALID_FILE where the data is not what shape and type say, UNSUPPORTED_FILE for data in another file or of
 * another type, LIMIT_EXCEEDED.
 */
export function readTensorData(tensor: OnnxTensor, what: string, budget: ElementBudget): Constant {
  const { dims, dataType, raw, externalFile } = tensor;
  if (externalFile !== undefined) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      `${what} keeps its data in another file ("${externalFile}"), and no other file is read: save the model as one file`,
    );
  }
  const float = FLOATS.get(dataType);
  const integer = INTEGERS.get(dataType);
  if (float === undefined && integer === undefined) {
    throw new CrcnnError("UNSUPPORTED_FILE", `${what} is of ${typeName(dataType)}: save the network in float32`);
  }
  const kind = float ? "floats" : "integers";
  const count = countElements(dims, kind, what);
  const { bytes } = (float ?? integer) as { bytes: number };
  const lists = { floats: tensor.floats, doubles: tensor.doubles, integers: tensor.integers };
  const list = float?.list ?? "integers";
  const inLists = Object.values(lists).filter((held) => held.length > 0);
  if (raw !== undefined ? inLists.length > 0 : inLists.some((held) => held !== lists[list])) {
    throw new CrcnnError("INVALID_FILE", `${what} has data in two forms, or in the form of another type`);
  }
  const held = raw ? raw.length / bytes : heldIn(lists[list], bytes);
  if (held !== count) {
    throw new CrcnnError(
      "INVALID_FILE",
      `${what} of shape ${dims.join("x")} needs ${count} elements of ${typeName(dataType)}, it has ${held}`,
    );
  }
  spendElements(budget, dims, what);
  if (float) return { kind: "floats", shape: dims, data: readFloats(tensor, float, count, what) };
  const view = raw && new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const { read } = integer as IntegerType;
  const data = view ? Array.from({ length: count }, (_, i) => read(view, i * bytes)) : [...tensor.integers];
  return { kind: "integers", shape: dims, data };
}

function heldIn(list: readonly Uint8Array[] | readonly number[], bytes: number): number {
  return list.reduce<number>((sum, part) => sum + (typeof part === "number" ? 1 : part.length / bytes), 0);
}

function readFloats(tensor: OnnxTensor, type: ElementType, count: number, what: string): Float64Array {
  const data = new Float64Array(count);
  const read = type.read as NonNullable<ElementType["read"]>;
  let filled = 0;
  for (const part of partsOf(tensor, type)) {
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let at = 0; at < part.length; at += type.bytes) data[filled++] = read(view, at, true);
  }
  requireFinite(data, what, "data");
  return data;
}

/** The bytes of the elements; a list of integers holds the bits of half precision floats. */
function partsOf({ raw, floats, doubles, integers }: OnnxTensor, { bytes }: ElementType): readonly Uint8Array[] {
  if (raw) return [raw];
  if (bytes > 2) return bytes === 4 ? floats : doubles;
  return [new Uint8Array(Uint16Array.from(integers).buffer)];
}
