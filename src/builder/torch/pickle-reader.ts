/** A cursor over a pickle's bytes. Every length is checked against what is left before anything is made. */

import { CrcnnError } from "../../errors/index.ts";

/** Longest integer: torch writes magic numbers and sizes, of 10 bytes at most. */
const MAX_INTEGER_BYTES = 64;

export interface PickleReader {
  readonly position: number;
  readonly remaining: number;
  byte(): number;
  uint16(): number;
  int32(): number;
  uint32(): number;
  /** A length of 8 bytes; what is above 2^53 is rounded, and too long in any case. */
  uint64(): number;
  /** A double, big-endian as in the pickle format. */
  float64(): number;
  bytes(length: number): Uint8Array;
  /** A little-endian two's complement integer: a number where it is exact, a bigint otherwise. */
  integer(length: number): number | bigint;
  text(length: number): string;
  /** Text up to a line feed, which is taken too. */
  line(): string;
}

/** @throws CrcnnError INVALID_FILE from every method where the pickle ends too early, LIMIT_EXCEEDED for overlong integers. */
export function readPickle(pickle: Uint8Array): PickleReader {
  const view = new DataView(pickle.buffer, pickle.byteOffset, pickle.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let at = 0;

  function take(length: number): number {
    if (!(length <= pickle.length - at)) throw invalid("its pickle is cut off, or a length in it is wrong");
    const start = at;
    at += length;
    return start;
  }

  function bytes(length: number): Uint8Array {
    const start = take(length);
    return pickle.subarray(start, start + length);
  }

  function text(length: number): string {
    try {
      return decoder.decode(bytes(length));
    } catch (error) {
      throw error instanceof CrcnnError ? error : invalid("its pickle holds text that is not UTF-8", error);
    }
  }

  function integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES && length <= pickle.length - at) {
      throw new CrcnnError(
        "LIMIT_EXCEEDED",
        `its pickle holds an integer of ${length} bytes, at most ${MAX_INTEGER_BYTES}`,
      );
    }
    let value = 0n;
    const digits = bytes(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  return {
    get position() {
      return at;
    },
    get remaining() {
      return pickle.length - at;
    },
    byte: () => view.getUint8(take(1)),
    uint16: () => view.getUint16(take(2), true),
    int32: () => view.getInt32(take(4), true),
    uint32: () => view.getUint32(take(4), true),
    uint64: () => Number(view.getBigUint64(take(8), true)),
    float64: () => view.getFloat64(take(8)),
    bytes,
    integer,
    text,
    line() {
      const end = pickle.indexOf(10, at);
      if (end < 0) throw invalid("its pickle is cut off inside a name");
      const line = text(end - at);
      at = end + 1;
      return line;
    },
  };
}

function invalid(message: string, cause?: unknown): CrcnnError {
  return new CrcnnError("INVALID_FILE", message, { cause });
}
