/**
 * Plain data (primitives, arrays, objects, `Float64Array`, `Int32Array`) as one run of bytes and back: what plans are saved as.
 *
 *   8 bytes   "crcnn-d1"
 *   32 bytes  SHA-256 of all that follows
 *   8 bytes   length of the text, little-endian
 *   text      JSON of `{ data, arrays }`, padded with spaces to a multiple of 8: each typed array in `data` is `{ "$": i }`, and `arrays[i]` its type and length
 *   arrays    one after the other, little-endian, each padded to a multiple of 8 bytes
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { CrcnnError } from "../errors/index.ts";

const MARK = "crcnn-d1";
const HASH_START = 8;
const HASHED_START: number = HASH_START + 32;
const TEXT_START: number = HASHED_START + 8;
const ALIGNMENT = 8;
/** Arrays in arrays in …: plans have six. */
const DEEPEST = 32;

type NumberArray = Float64Array | Int32Array;

/**
 * Copies data, with something else in place of its typed arrays. What is used twice stays one.
 *
 * @throws TypeError for anything but plain data.
 */
export function mapArrays<T>(data: T, replace: (array: NumberArray) => unknown): T {
  const known = new Map<object, unknown>();

  function map(value: unknown): unknown {
    if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") {
      throw new TypeError(`a ${typeof value} is not data`);
    }
    if (typeof value !== "object" || value === null) return value;
    let copy = known.get(value);
    if (copy === undefined) {
      copy = mapObject(value);
      known.set(value, copy);
    }
    return copy;
  }

  function mapObject(value: object): unknown {
    if (value instanceof Float64Array || value instanceof Int32Array) return replace(value);
    if (Array.isArray(value)) return value.map(map);
    if (Object.getPrototypeOf(value) !== Object.prototype) throw new TypeError(`${value.constructor.name} is not data`);
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, map(part)]));
  }

  return map(data) as T;
}

const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/** @throws TypeError for anything but plain data, and for numbers outside of arrays that JSON does not have. */
export function encodeData(data: unknown): Uint8Array<ArrayBuffer> {
  const arrays: NumberArray[] = [];
  const skeleton = mapArrays(data, (array) => ({ $: arrays.push(array) - 1 }));
  const table = arrays.map((array) => [array instanceof Float64Array ? "f64" : "i32", array.length]);
  const json = JSON.stringify({ data: skeleton, arrays: table }, (_, value) => {
    if (typeof value !== "number" || Number.isFinite(value)) return value;
    throw new TypeError(`${value} is not a number that can be saved`);
  });
  const text = new TextEncoder().encode(json);
  const start = TEXT_START + padded(text.length);
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + padded(byteLength), start));
  bytes.set(new TextEncoder().encode(MARK));
  bytes.fill(" ".charCodeAt(0), TEXT_START, start);
  bytes.set(text, TEXT_START);
  new DataView(bytes.buffer).setBigUint64(HASHED_START, BigInt(start - TEXT_START), true);
  let at = start;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += padded(byteLength);
  }
  bytes.set(sha256(bytes.subarray(HASHED_START)), HASH_START);
  return bytes;
}

/**
 * Reads {@link encodeData}'s bytes back. Nothing is allocated for an array that the bytes do not hold.
 *
 * @returns Data of any form: whoever asked for it has to check that.
 * @throws CrcnnError INVALID_FILE for anything else, and for a single byte that has changed.
 */
export function decodeData(given: Uint8Array): unknown {
  // Node's buffers slice without copying.
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.length);
  const invalid = (what: string): CrcnnError => new CrcnnError("INVALID_FILE", `the saved data is damaged: ${what}`);
  if (bytes.length < TEXT_START || new TextDecoder("latin1").decode(bytes.subarray(0, HASH_START)) !== MARK) {
    throw new CrcnnError("INVALID_FILE", `the bytes are no data that crcnn has saved: they do not begin with ${MARK}`);
  }
  const hash = sha256(bytes.subarray(HASHED_START));
  if (hash.some((byte, i) => byte !== bytes[HASH_START + i])) throw invalid("its SHA-256 differs");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(HASHED_START, true));
  const start = TEXT_START + length;
  if (length % ALIGNMENT !== 0 || start > bytes.length) throw invalid("its text is longer than the file");
  // Whoever can make a right hash can still write anything.
  const { data, arrays: table } = parse(bytes.subarray(TEXT_START, start), invalid);
  const arrays = readArrays(bytes.subarray(start), table, invalid);
  return restore(data, arrays, invalid);
}

function parse(
  text: Uint8Array,
  invalid: (what: string) => CrcnnError,
): { readonly data: unknown; readonly arrays: readonly unknown[] } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw invalid("its text is not JSON");
  }
  if (typeof json !== "object" || json === null || !("data" in json && "arrays" in json)) throw invalid("no data");
  if (!Array.isArray(json.arrays)) throw invalid("no list of arrays");
  return { data: json.data, arrays: json.arrays };
}

function readArrays(
  bytes: Uint8Array,
  table: readonly unknown[],
  invalid: (what: string) => CrcnnError,
): NumberArray[] {
  let at = 0;
  const arrays = table.map((entry) => {
    const [type, length] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if ((type !== "f64" && type !== "i32") || typeof length !== "number" || !Number.isSafeInteger(length)) {
      throw invalid("an array of no known type or length");
    }
    const size = length * (type === "f64" ? Float64Array.BYTES_PER_ELEMENT : Int32Array.BYTES_PER_ELEMENT);
    if (length < 0 || at + size > bytes.length) throw invalid("an array is longer than the file");
    const copy = bytes.slice(at, at + size);
    at += padded(size);
    return type === "f64" ? new Float64Array(copy.buffer) : new Int32Array(copy.buffer);
  });
  if (at !== bytes.length) throw invalid("bytes are left over");
  return arrays;
}

function restore(data: unknown, arrays: readonly NumberArray[], invalid: (what: string) => CrcnnError): unknown {
  function revive(value: unknown, depth: number): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (depth > DEEPEST) throw invalid("it is nested too deeply");
    if (Array.isArray(value)) return value.map((part) => revive(part, depth + 1));
    if ("$" in value) {
      const array = typeof value.$ === "number" ? arrays[value.$] : undefined;
      if (array === undefined) throw invalid("an array is missing");
      return array;
    }
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, revive(part, depth + 1)]));
  }
  return revive(data, 0);
}
