/**
 * Protocol Buffers' wire format, bounded: a message is a list of fields, each a number with a varint, four or eight bytes, or a run of bytes.
 * Nothing is copied, and a length is checked against what is there before anything is made of it.
 * https://protobuf.dev/programming-guides/encoding/
 */

import { CrcnnError } from "../../errors/index.ts";
import { MAX_FIELDS } from "./limits.ts";

/** How a field is written. Groups (3 and 4), long deprecated, are refused: they nest without a length. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const MAX_VARINT_BYTES = 10;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;

/** One field; which of the values it holds is for `wire` to say. */
export interface Field {
  readonly number: number;
  readonly wire: typeof VARINT | typeof FIXED64 | typeof BYTES | typeof FIXED32;
  /** A varint's 64 bits; 0 for others. */
  readonly varint: bigint;
  /** The bytes of the others, a view of the file; empty for a varint. */
  readonly bytes: Uint8Array;
}

/** A reader of one file: it counts all fields that it gives against {@link MAX_FIELDS}. */
export interface WireReader {
  /**
   * The fields of a message in the order in which they were written, those that nobody knows included.
   *
   * @param what the message, for errors: `the graph`.
   * @throws CrcnnError INVALID_FILE where the bytes are no message, LIMIT_EXCEEDED.
   */
  fields(message: Uint8Array, what: string): Generator<Field, void>;
}

const EMPTY = new Uint8Array(0);

export function createWireReader(): WireReader {
  let seen = 0;
  return {
    *fields(message, what) {
      for (let at = 0; at < message.length; ) {
        if (++seen > MAX_FIELDS) {
          throw new CrcnnError("LIMIT_EXCEEDED", `it has more than ${MAX_FIELDS} fields, up to here in ${what}`);
        }
        const tag = readVarint(message, at, what);
        const number = Number(tag.value >> 3n);
        const wire = Number(tag.value & 7n);
        if (number < 1 || number > MAX_FIELD_NUMBER) throw invalid(what, `has a field with the number ${number}`);
        at = tag.end;
        if (wire === VARINT) {
          const { value, end } = readVarint(message, at, what);
          at = end;
          yield { number, wire, varint: value, bytes: EMPTY };
          continue;
        }
        if (wire !== FIXED64 && wire !== BYTES && wire !== FIXED32) {
          throw invalid(what, `has a field of the wire type ${wire}, which ONNX does not use`);
        }
        let length = wire === FIXED64 ? 8 : 4;
        if (wire === BYTES) {
          const claim = readVarint(message, at, what);
          at = claim.end;
          // Above 2^53 the number is rounded, and still larger than what is there.
          length = Number(claim.value);
        }
        if (length > message.length - at) {
          throw invalid(what, `is cut off: field ${number} has ${length} bytes, ${message.length - at} are left`);
        }
        yield { number, wire, varint: 0n, bytes: message.subarray(at, at + length) };
        at += length;
      }
    },
  };
}

/** @throws CrcnnError INVALID_FILE where it does not end within ten bytes and 64 bits. */
function readVarint(bytes: Uint8Array, start: number, what: string): { value: bigint; end: number } {
  const first = bytes[start];
  // Most are short, and need no arithmetic on 64 bits.
  if (first !== undefined && first < 0x80) return { value: BigInt(first), end: start + 1 };
  let value = 0n;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw invalid(what, "is cut off in the middle of a number");
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      if (value >= 2n ** 64n) break;
      return { value, end: start + i + 1 };
    }
  }
  throw invalid(what, "has a number of more than 64 bits");
}

/** Bytes of an embedded message or a string. */
export function bytesOf({ wire, bytes, number }: Field, what: string): Uint8Array {
  if (wire === BYTES) return bytes;
  throw invalid(what, `has a field ${number} of the wire type ${wire}, expected ${BYTES}`);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function textOf(field: Field, what: string): string {
  const bytes = bytesOf(field, what);
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new CrcnnError("INVALID_FILE", `${what} has a text that is not UTF-8 in field ${field.number}`, { cause });
  }
}

/** An int64 as a double: exact below 2^53, where every length, axis and stride of a network is. */
export function integerOf(field: Field, what: string): number {
  if (field.wire === VARINT) return Number(BigInt.asIntN(64, field.varint));
  throw invalid(what, `has a field ${field.number} of the wire type ${field.wire}, expected ${VARINT}`);
}

/** The numbers of one occurrence of a repeated int field, packed or not, added to `to` until it holds `most`. */
export function addIntegers(field: Field, to: number[], most: number, what: string): void {
  if (field.wire !== BYTES) {
    to.push(integerOf(field, what));
  } else {
    for (let at = 0; at < field.bytes.length && to.length <= most; ) {
      const { value, end } = readVarint(field.bytes, at, what);
      to.push(Number(BigInt.asIntN(64, value)));
      at = end;
    }
  }
  if (to.length > most) throw new CrcnnError("LIMIT_EXCEEDED", `${what} has a list of more than ${most} numbers`);
}

/** The bytes of one occurrence of a repeated float or double field, packed or not: `width` bytes each, little-endian. */
export function floatBytes({ wire, bytes, number }: Field, width: 4 | 8, what: string): Uint8Array {
  const single = width === 4 ? FIXED32 : FIXED64;
  if (wire !== single && wire !== BYTES) throw invalid(what, `has a field ${number} of the wire type ${wire}`);
  if (bytes.length % width !== 0) throw invalid(what, `has ${bytes.length} bytes of numbers of ${width} bytes each`);
  return bytes;
}

export function floatOf(field: Field, what: string): number {
  if (field.wire !== FIXED32) {
    throw invalid(what, `has a field ${field.number} of the wire type ${field.wire}, expected ${FIXED32}`);
  }
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

function invalid(what: string, problem: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", `${what} ${problem}`);
}
