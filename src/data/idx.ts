/** IDX files, the format of MNIST (Y. LeCun, "The MNIST database", FILE FORMATS). */

import { CrcnnError } from "../errors/index.ts";
import { checkLength, countValues, type ImageTensor, MAX_AXES } from "./image-tensor.ts";

interface ElementType {
  readonly bytes: number;
  read(view: DataView, at: number): number;
}

const ELEMENTS: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [0x08, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [0x09, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [0x0b, { bytes: 2, read: (view, at) => view.getInt16(at) }],
  [0x0c, { bytes: 4, read: (view, at) => view.getInt32(at) }],
  [0x0d, { bytes: 4, read: (view, at) => view.getFloat32(at) }],
  [0x0e, { bytes: 8, read: (view, at) => view.getFloat64(at) }],
]);

const UNSIGNED_BYTE = 0x08;

/** An array from an IDX file. */
export interface IdxArray extends ImageTensor {
  /** True where the elements are unsigned bytes, which is what images are stored as. */
  readonly unsignedBytes: boolean;
}

/** True where the bytes begin as an IDX file does: two zeros, an element type, a number of axes. */
export function isIdx(bytes: Uint8Array): boolean {
  const axes = bytes[3] ?? 0;
  return bytes[0] === 0 && bytes[1] === 0 && ELEMENTS.has(bytes[2] ?? 0) && axes >= 1 && axes <= MAX_AXES;
}

/**
 * Reads the array of an uncompressed IDX file; all six element types, values as they are in the file (bytes are 0 to 255).
 *
 * @throws CrcnnError INVALID_FILE (no IDX file, damaged or cut off), LIMIT_EXCEEDED.
 */
export function readIdx(bytes: Uint8Array): IdxArray {
  const type = ELEMENTS.get(bytes[2] ?? 0);
  if (!isIdx(bytes) || type === undefined) throw new CrcnnError("INVALID_FILE", "it is not an IDX file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const axes = view.getUint8(3);
  const start = 4 + 4 * axes;
  if (bytes.length < start) throw new CrcnnError("INVALID_FILE", "it is cut off inside its IDX header");
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = countValues(shape);
  checkLength(bytes.length - start, count * type.bytes);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = type.read(view, start + i * type.bytes);
  return { shape, data, unsignedBytes: bytes[2] === UNSIGNED_BYTE };
}
