import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeData, encodeData } from "../../src/plan/index.ts";

const invalid = expect.objectContaining({ code: "INVALID_FILE" });

const numbers = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value));
const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string(), fc.boolean(), fc.constant(null), numbers),
    fc.array(fc.double()).map((values) => Float64Array.from(values)),
    fc.array(fc.integer()).map((values) => Int32Array.from(values)),
    fc.array(tie("data"), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((name) => name !== "$"),
      tie("data"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}));

test("plain data comes back as it was, from wherever its bytes lie", () => {
  fc.assert(
    fc.property(data, fc.nat(7), (value, offset) => {
      const bytes = encodeData(value);
      const moved = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
      for (const each of [bytes, moved]) expect(decodeData(each)).toStrictEqual(value);
    }),
    { numRuns: 200 },
  );
});

test("equal data has equal bytes, and what is used twice is saved once", () => {
  const weights = new Float64Array(1000).fill(0.5);
  const twice = encodeData({ left: weights, right: [weights] });
  expect(twice).toEqual(encodeData({ left: weights, right: [weights] }));
  expect(twice.length).toBeLessThan(9000);
  expect(decodeData(twice)).toEqual({ left: weights, right: [weights] });
});

test("what is no plain data, or a number that JSON lacks, is refused by its name", () => {
  expect(() => encodeData({ map: new Map() })).toThrow(new TypeError("Map is not data"));
  expect(() => encodeData([() => 1])).toThrow(new TypeError("a function is not data"));
  expect(() => encodeData([1n])).toThrow(new TypeError("a bigint is not data"));
  expect(() => encodeData({ range: [0, Infinity] })).toThrow(/Infinity is not a number/);
});

test("a changed byte, a missing one or one too many is noticed", () => {
  const bytes = encodeData({ nodes: [{ weights: Float64Array.of(1, 2, 3) }], layers: Int32Array.of(1, 2, 3) });
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1 << (at % 8);
    expect(() => decodeData(changed), `byte ${at}`).toThrow(invalid);
    expect(() => decodeData(bytes.subarray(0, at)), `${at} bytes`).toThrow(invalid);
  }
  expect(() => decodeData(new Uint8Array([...bytes, 0]))).toThrow(invalid);
});
