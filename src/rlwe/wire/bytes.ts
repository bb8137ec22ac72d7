/** Little-endian writing and reading of bytes, with bounds checked before anything is taken. */

import { CrcnnError } from "../../errors/index.ts";

export interface ByteWriter {
  uint8(value: number): void;
  uint16(value: number): void;
  uint32(value: number): void;
  float64(value: number): void;
  bytes(value: Uint8Array): void;
  /** Reserves `length` zero bytes and returns them to be filled before the next call. */
  reserve(length: number): Uint8Array;
  /** All that was written, in memory of its own. The writer must not be used any more. */
  finish(): Uint8Array<ArrayBuffer>;
}

export function createByteWriter(initialBytes = 1024): ByteWriter {
  let buffer = new Uint8Array(initialBytes);
  let length = 0;
  const reserve = (count: number): Uint8Array => {
    if (length + count > buffer.length) {
      const larger = new Uint8Array(Math.max(length + count, 2 * buffer.length));
      larger.set(buffer);
      buffer = larger;
    }
    const start = length;
    length += count;
    return buffer.subarray(start, length);
  };
  const view = (count: number): DataView => {
    const { buffer: bytes, byteOffset } = reserve(count);
    return new DataView(bytes, byteOffset, count);
  };
  return {
    uint8: (value) => view(1).setUint8(0, value),
    uint16: (value) => view(2).setUint16(0, value, true),
    uint32: (value) => view(4).setUint32(0, value, true),
    float64: (value) => view(8).setFloat64(0, value, true),
    bytes: (value) => reserve(value.length).set(value),
    reserve,
    // A guess of the right length costs no copy.
    finish: () => (length === buffer.length ? buffer : buffer.slice(0, length)),
  };
}

export interface ByteReader {
  uint8(): number;
  uint16(): number;
  uint32(): number;
  float64(): number;
  /** A view of the next bytes. */
  bytes(length: number): Uint8Array;
  /** @throws CrcnnError INVALID_MESSAGE when bytes are left over. */
  end(): void;
}

/** Reads bytes from the wire. Every method throws CrcnnError INVALID_MESSAGE when the bytes run out. */
export function createByteReader(source: Uint8Array): ByteReader {
  const data = new DataView(source.buffer, source.byteOffset, source.byteLength);
  let position = 0;
  const take = (length: number): number => {
    if (length > source.length - position) {
      throw new CrcnnError(
        "INVALID_MESSAGE",
        `the message ends after ${source.length} bytes, ${position + length} are needed; it was cut off, send it again`,
      );
    }
    position += length;
    return position - length;
  };
  return {
    uint8: () => data.getUint8(take(1)),
    uint16: () => data.getUint16(take(2), true),
    uint32: () => data.getUint32(take(4), true),
    float64: () => data.getFloat64(take(8), true),
    bytes(length) {
      const start = take(length);
      return source.subarray(start, start + length);
    },
    end() {
      if (position === source.length) return;
      throw new CrcnnError(
        "INVALID_MESSAGE",
        `${source.length - position} bytes are left over at the end of the message`,
      );
    },
  };
}
