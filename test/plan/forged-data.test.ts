/** Data whose checksum is right and whose content is not: nothing is believed that the bytes do not bear out. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { decodeData, encodeData } from "../../src/plan/index.ts";

const HASHED = 40;

/** Bytes with this text and these further bytes, under a right checksum. */
function forge(text: string | Uint8Array, rest = new Uint8Array(), length?: bigint): Uint8Array {
  const encoded = Buffer.from(text);
  const padded = Buffer.concat([encoded, Buffer.alloc((8 - (encoded.length % 8)) % 8, " ")]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(padded.length));
  const body = Buffer.concat([size, padded, rest]);
  return Buffer.concat([Buffer.from("crcnn-d1"), createHash("sha256").update(body).digest(), body]);
}

const entry = (type: unknown, length: unknown, data: unknown = { $: 0 }): string =>
  JSON.stringify({ data, arrays: [[type, length]] });

test("the forger writes what the encoder writes", () => {
  const bytes = encodeData({ a: Float64Array.of(2) });
  const text = bytes.subarray(HASHED + 8, bytes.length - 8);
  expect(forge(text, bytes.subarray(bytes.length - 8))).toEqual(Buffer.from(bytes));
});

test.each<[string, Uint8Array]>([
  ["no bytes", new Uint8Array()],
  ["another kind of file", Buffer.from("PK\x03\x04".padEnd(100))],
  ["a text that is no JSON", forge("{data")],
  ["a text that is no UTF-8", forge(Uint8Array.of(0x7b, 0xff, 0xfe))],
  ["JSON without data", forge('{"arrays": []}')],
  ["arrays that are no list", forge('{"data": 1, "arrays": {}}')],
  ["a text of 2^60 bytes", forge("{}", undefined, 2n ** 60n)],
  ["a text that ends within eight bytes", forge('{"data": 1, "arrays": []}', undefined, 3n)],
  ["an array of 2^52 numbers", forge(entry("f64", 2 ** 52))],
  ["an array of half a number", forge(entry("f64", 0.5), new Uint8Array(8))],
  ["an array of less than nothing", forge(entry("i32", -1))],
  ["an array of another type", forge(entry("u8", 8), new Uint8Array(8))],
  ["an array that is none", forge('{"data": {"$": 0}, "arrays": [null]}')],
  ["an array that is not there", forge('{"data": {"$": 1}, "arrays": []}')],
  ["an array by name", forge(entry("f64", 1, { $: "length" }), new Uint8Array(8))],
  ["bytes that no array claims", forge('{"data": 1, "arrays": []}', new Uint8Array(8))],
  ["lists in lists without end", forge(`{"data": ${"[".repeat(200)}${"]".repeat(200)}, "arrays": []}`)],
])("refused: %s", (_, bytes) => {
  expect(() => decodeData(bytes)).toThrow(expect.objectContaining({ code: "INVALID_FILE" }));
});
