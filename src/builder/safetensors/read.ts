/**
 * The safetensors format (https://github.com/huggingface/safetensors#format): the header's length in 8 bytes, the header in JSON with type, shape
 * and place of each tensor, then the elements, little-endian and row-major, which tensors cover without overlap or gap.
 */

import { CrcnnError } from "../../errors/index.ts";
import { BFLOAT16, type ElementType, FLOAT16, FLOAT32, FLOAT64 } from "../source/element-types.ts";
import { requireFileSize } from "../source/file.ts";
import { parseJson } from "../source/json.ts";
import { MAX_AXES } from "../source/limits.ts";
import { printable } from "../source/text.ts";
import type { StateDict, StateTensor } from "../state/state-dict.ts";

const LENGTH_BYTES = 8;

/** Size of the header: 1 MiB, where an entry takes about a hundred bytes. */
const MAX_HEADER_BYTES: number = 2 ** 20;

/** The one entry that is no tensor: a dictionary of texts. */
const METADATA = "__metadata__";

const ELEMENT_TYPES: ReadonlyMap<unknown, ElementType> = new Map<unknown, ElementType>([
  ["F16", FLOAT16],
  ["BF16", BFLOAT16],
  ["F32", FLOAT32],
  ["F64", FLOAT64],
  ["F8_E5M2", { name: "float8_e5m2", bytes: 1 }],
  ["F8_E4M3", { name: "float8_e4m3fn", bytes: 1 }],
  ["I64", { name: "int64", bytes: 8 }],
  ["I32", { name: "int32", bytes: 4 }],
  ["I16", { name: "int16", bytes: 2 }],
  ["I8", { name: "int8", bytes: 1 }],
  ["U64", { name: "uint64", bytes: 8 }],
  ["U32", { name: "uint32", bytes: 4 }],
  ["U16", { name: "uint16", bytes: 2 }],
  ["U8", { name: "uint8", bytes: 1 }],
  ["BOOL", { name: "bool", bytes: 1 }],
]);

interface Entry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** True where the bytes begin as a file of this format does: a length below 2^48 (or none that is possible), then `{`. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > LENGTH_BYTES && bytes[LENGTH_BYTES] === 0x7b && bytes[6] === 0;
}

/**
 * The tensors of a file. Nothing is allocated by a size that it claims.
 *
 * @throws CrcnnError INVALID_FILE where header or offsets are not as the format demands, UNSUPPORTED_FILE for an unknown element type,
 * LIMIT_EXCEEDED.
 */
export function readSafetensors(bytes: Uint8Array): StateDict {
  requireFileSize(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const most = bytes.length - LENGTH_BYTES;
  if (length > most) throw invalid(`its header is said to have ${length} bytes, ${most} follow`);
  if (length > MAX_HEADER_BYTES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `its header has ${length} bytes, at most ${MAX_HEADER_BYTES} are read`);
  }
  const data = bytes.subarray(LENGTH_BYTES + length);
  const entries = readHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
  checkCover(entries, data.length);
  return new Map(entries.map((entry) => [entry.name, tensorOf(entry, data)]));
}

function readHeader(bytes: Uint8Array): Entry[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CrcnnError("INVALID_FILE", "its header is not UTF-8", { cause });
  }
  const header = parseJson(text, "its header");
  if (!isObject(header)) throw invalid("its header is not a JSON object");
  return Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => readEntry(name, value));
}

function readEntry(name: string, value: unknown): Entry {
  const label = `its tensor "${printable(name)}"`;
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {};
  const type = ELEMENT_TYPES.get(dtype);
  if (type === undefined) {
    if (typeof dtype !== "string") throw invalid(`${label} has no dtype`);
    throw new CrcnnError("UNSUPPORTED_FILE", `${label} is of the type ${printable(dtype)}: save it as float32`);
  }
  if (!areNaturals(shape)) throw invalid(`${label} has a shape that is no list of natural numbers`);
  if (shape.length > MAX_AXES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${label} has ${shape.length} axes, at most ${MAX_AXES} are read`);
  }
  if (!areNaturals(offsets) || offsets.length !== 2) {
    throw invalid(`${label} has data_offsets that are not two natural numbers`);
  }
  const [begin, end] = offsets as readonly [number, number];
  const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (elements * type.bytes !== end - begin) {
    const wanted = `${shape.join("x") || "one element"} of ${type.name} takes ${elements * type.bytes} bytes`;
    throw invalid(`${label} lies from ${begin} to ${end}, where ${wanted}`);
  }
  return { name, type, shape, begin, end };
}

/** Tensors must lie one behind the other, from the first byte behind the header to the file's last. */
function checkCover(entries: readonly Entry[], length: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const label = `its tensor "${printable(name)}"`;
    if (begin < at) throw invalid(`${label} begins at ${begin}, inside of another that ends at ${at}`);
    if (begin > at) throw invalid(`no tensor covers the bytes from ${at} to ${begin}, before ${label.slice(4)}`);
    if (end > length) throw invalid(`${label} ends at ${end}, the file has ${length} bytes of elements`);
    at = end;
  }
  if (at < length) throw invalid(`no tensor covers the last ${length - at} bytes`);
}

function tensorOf({ type, shape, begin, end }: Entry, data: Uint8Array): StateTensor {
  return {
    dtype: type.name,
    shape,
    read() {
      const { read } = type;
      if (read === undefined) return undefined;
      const view = new DataView(data.buffer, data.byteOffset + begin, end - begin);
      return Float64Array.from({ length: view.byteLength / type.bytes }, (_, i) => read(view, i * type.bytes, true));
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function areNaturals(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}
