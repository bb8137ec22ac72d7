import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_FIELDS } from "../../../src/builder/onnx/limits.ts";
import { createWireReader, type Field, integerOf, textOf } from "../../../src/builder/onnx/wire.ts";
import { refusal } from "../torch/fixtures.ts";
import { bytes, field, varint } from "./writer.ts";

const read = (message: Uint8Array): Field[] => [...createWireReader().fields(message, "the message")];
const tag = (number: number, wire: number): Uint8Array => varint(number * 8 + wire);

interface Written {
  readonly number: number;
  readonly wire: 0 | 1 | 2 | 5;
  readonly varint: bigint;
  readonly bytes: Uint8Array;
}

const numbers = fc.integer({ min: 1, max: 2 ** 29 - 1 });
const block = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const none = new Uint8Array(0);
const written: fc.Arbitrary<Written> = fc.oneof(
  fc.record({
    number: numbers,
    wire: fc.constant(0 as const),
    varint: fc.bigInt(0n, 2n ** 64n - 1n),
    bytes: fc.constant(none),
  }),
  fc.record({ number: numbers, wire: fc.constant(1 as const), varint: fc.constant(0n), bytes: block(8) }),
  fc.record({
    number: numbers,
    wire: fc.constant(2 as const),
    varint: fc.constant(0n),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ number: numbers, wire: fc.constant(5 as const), varint: fc.constant(0n), bytes: block(4) }),
);

function write({ number, wire, varint: value, bytes: content }: Written): Uint8Array {
  if (wire === 0) return bytes(tag(number, 0), varint(value));
  return bytes(tag(number, wire), wire === 2 ? varint(content.length) : none, content);
}

describe("the wire format", () => {
  test("what was written is read, field by field", () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 20 }), (fields) => {
        expect(read(bytes(...fields.map(write)))).toEqual(fields);
      }),
    );
  });

  test("every cut of a message is read up to the cut, or refused", () => {
    fc.assert(
      fc.property(fc.array(written, { minLength: 1, maxLength: 6 }), fc.nat(), (fields, at) => {
        const parts = fields.map(write);
        const whole = bytes(...parts);
        const cut = at % whole.length;
        const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, part) => sum + part.length, 0));
        const complete = ends.filter((end) => end <= cut).length;
        const boundary = (ends[complete - 1] ?? 0) === cut;
        if (boundary) expect(read(whole.subarray(0, cut))).toEqual(fields.slice(0, complete));
        else expect(refusal(() => read(whole.subarray(0, cut))).code).toBe("INVALID_FILE");
      }),
    );
  });

  test("any bytes are read to their end or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        try {
          expect(read(message).length).toBeLessThanOrEqual(message.length);
        } catch (error) {
          expect(error).toMatchObject({ code: "INVALID_FILE" });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("a number may be padded to ten bytes, and has at most 64 bits", () => {
    const padded = bytes(tag(1, 0), [0x85, ...new Array<number>(8).fill(0x80), 0]);
    expect(read(padded)[0]!.varint).toBe(5n);
    const largest = bytes(tag(1, 0), [...new Array<number>(9).fill(0xff), 1]);
    expect(read(largest)[0]!.varint).toBe(2n ** 64n - 1n);
    for (const last of [[2], [0x80, 0]]) {
      const long = bytes(tag(1, 0), [...new Array<number>(9).fill(0xff), ...last]);
      expect(refusal(() => read(long)).message).toContain("more than 64 bits");
    }
  });

  test("int64s keep their sign", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }), (value) => {
        expect(integerOf(read(field(3, value))[0]!, "it")).toBe(value);
      }),
    );
  });

  test.each([3, 4, 6, 7])("wire type %i is refused", (wire) => {
    const error = refusal(() => read(bytes(tag(2, wire), [0, 0, 0, 0, 0, 0, 0, 0])));
    expect([error.code, error.message]).toEqual(["INVALID_FILE", expect.stringContaining(`wire type ${wire}`)]);
  });

  test("field numbers are 1 to 2^29 - 1", () => {
    for (const number of [0, 2 ** 29]) {
      const error = refusal(() => read(bytes(varint(BigInt(number) * 8n), [0])));
      expect(error.message).toContain(`the number ${number}`);
    }
  });

  test("a length is held against what is there before anything is made of it", () => {
    for (const claim of [5, 2 ** 31, 2 ** 53, 2n ** 64n - 1n]) {
      const error = refusal(() => read(bytes(tag(7, 2), varint(claim), [1, 2, 3, 4])));
      expect(error.message).toMatch(/field 7 has \d+ bytes, 4 are left/);
    }
  });

  test("values are of the kind that is asked for", () => {
    expect(refusal(() => integerOf(read(field(1, "text"))[0]!, "it")).message).toContain("wire type 2, expected 0");
    expect(refusal(() => textOf(read(field(1, 5))[0]!, "it")).message).toContain("wire type 0, expected 2");
    expect(refusal(() => textOf(read(field(1, Uint8Array.of(0xff)))[0]!, "it")).message).toContain("not UTF-8");
  });

  test("fields are counted over the whole file", () => {
    const reader = createWireReader();
    const many = new Uint8Array(MAX_FIELDS).fill(8);
    many.forEach((_, i) => {
      if (i % 2) many[i] = 1;
    });
    expect([...reader.fields(many, "one")]).toHaveLength(MAX_FIELDS / 2);
    expect([...reader.fields(many, "two")]).toHaveLength(MAX_FIELDS / 2);
    expect(refusal(() => [...reader.fields(many, "three")]).code).toBe("LIMIT_EXCEEDED");
  });
});
