import { Buffer } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { base64Length, decodeBase64, encodeBase64 } from "../../src/protocol/index.ts";

test("bytes go to base64 and back as in Node's own implementation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64"));
      expect(text).toHaveLength(base64Length(bytes.length));
      expect(decodeBase64(text, "data")).toEqual(new Uint8Array(bytes));
    }),
  );
});

test("all bytes, at all places", () => {
  const bytes = Uint8Array.from({ length: 3 * 256 }, (_, i) => (i * 171) & 255);
  expect(decodeBase64(Buffer.from(bytes).toString("base64"), "data")).toEqual(bytes);
});

test.each([
  ["QUJ", /data must be base64 .*3 characters, no multiple of 4/],
  ["QUJ\n", /character 3/],
  ["QU-_", /character 2/],
  ["QÜJD", /no digits/],
  ["Q===", /character 1/],
  ["=QUJ", /character 0/],
  ["QQ==QUJD", /character 2/],
  ["QR==", /bits that belong to no byte/],
  ["QUK=", /bits that belong to no byte/],
])("%j is refused", (text, reason) => {
  expect(() => decodeBase64(text, "data")).toThrowError(reason);
});

test("what is accepted is exactly what is written", () => {
  const character = fc.constantFrom(..."ABwz09+/= -_");
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 8 }), (text) => {
      let bytes: Uint8Array;
      try {
        bytes = decodeBase64(text, "data");
      } catch {
        expect(Buffer.from(text, "base64").toString("base64")).not.toBe(text);
        return;
      }
      expect(encodeBase64(bytes)).toBe(text);
    }),
  );
});
