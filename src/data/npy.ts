/** NumPy's `.npy` files, versions 1 to 3 (numpy.lib.format). */

import { CrcnnError } from "../errors/index.ts";
import { checkLength, countValues, type ImageTensor } from "./image-tensor.ts";

/** A header is a line of text; real ones have 128 bytes. */
const MAX_HEADER_BYTES = 65_536;

type ElementReader = (view: DataView, at: number, littleEndian: boolean) => number;

const ELEMENTS: ReadonlyMap<string, ElementReader> = new Map<string, ElementReader>([
  ["f8", (view, at, little) => view.getFloat64(at, little)],
  ["f4", (view, at, little) => view.getFloat32(at, little)],
  ["f2", (view, at, little) => halfToNumber(view.getUint16(at, little))],
  ["i8", (view, at, little) => Number(view.getBigInt64(at, little))],
  ["i4", (view, at, little) => view.getInt32(at, little)],
  ["i2", (view, at, little) => view.getInt16(at, little)],
  ["i1", (view, at) => view.getInt8(at)],
  ["u8", (view, at, little) => Number(view.getBigUint64(at, little))],
  ["u4", (view, at, little) => view.getUint32(at, little)],
  ["u2", (view, at, little) => view.getUint16(at, little)],
  ["u1", (view, at) => view.getUint8(at)],
  ["b1", (view, at) => (view.getUint8(at) === 0 ? 0 : 1)],
]);

/** True where the bytes begin as a `.npy` file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === "NUMPY";
}

/**
 * Reads the array of a `.npy` file: floats of 2, 4 and 8 bytes, integers of 1 to 8 (exact up to 2^53) and booleans, in either byte
 * order, in C or Fortran order. Values are taken as they are, of every type.
 *
 * @returns the array in C order with the shape of the file, `[]` for a scalar.
 * @throws CrcnnError INVALID_FILE (no `.npy` file, damaged or cut off), UNSUPPORTED_FILE (another element type), LIMIT_EXCEEDED.
 */
export function readNpy(bytes: Uint8Array): ImageTensor {
  if (!isNpy(bytes)) throw new CrcnnError("INVALID_FILE", "it is not a .npy file: numpy.save writes one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { header, start } = readHeader(view);
  const [, order, type] = /'descr':\s*'([<>|=]?)([a-zA-Z]\d*)'/.exec(header) ?? [];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (sizes === undefined || fortran === undefined) {
    throw new CrcnnError("INVALID_FILE", "its .npy header names no shape or no memory order");
  }
  const read = ELEMENTS.get(type ?? "");
  if (read === undefined || order === undefined) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      `its .npy elements are ${type ?? "structured"}; floats, integers and booleans are read: save array.astype("float32")`,
    );
  }
  const shape = sizes
    .split(",")
    .filter((size) => size.trim() !== "")
    .map(Number);
  const count = countValues(shape);
  const width = Number((type as string).slice(1));
  checkLength(bytes.length - start, count * width);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = read(view, start + i * width, order !== ">");
  return { shape, data: fortran === "True" ? fromFortranOrder(values, shape) : values };
}

function readHeader(view: DataView): { header: string; start: number } {
  const major = view.byteLength > 7 ? view.getUint8(6) : 0;
  if (major < 1 || major > 3) throw new CrcnnError("INVALID_FILE", `its .npy version is ${major}; 1 to 3 are read`);
  const lengthBytes = major === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  const length = view.byteLength < start ? Number.NaN : major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (!(start + length <= view.byteLength))
    throw new CrcnnError("INVALID_FILE", "it is cut off inside its .npy header");
  if (length > MAX_HEADER_BYTES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `its .npy header has ${length} bytes, at most ${MAX_HEADER_BYTES} are read`);
  }
  const text = new Uint8Array(view.buffer, view.byteOffset + start, length);
  return { header: new TextDecoder().decode(text), start: start + length };
}

/** IEEE 754 binary16: DataView.getFloat16 is missing from the oldest runtimes that are supported. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Values stored with the first axis fastest, reordered to the last axis fastest. */
function fromFortranOrder(values: Float64Array, shape: readonly number[]): Float64Array {
  const result = new Float64Array(values.length);
  const index = new Array<number>(shape.length).fill(0);
  for (let target = 0; target < values.length; target++) {
    let source = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) source = source * (shape[axis] ?? 1) + (index[axis] ?? 0);
    result[target] = values[source] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === shape[axis] ? 0 : next;
      if (index[axis] !== 0) break;
    }
  }
  return result;
}
